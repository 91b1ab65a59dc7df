#!/bin/sh
# Make three institutions with generated data and a development authority, each in a volume of its own.
# For a rehearsal only: in production no machine has two of these directories.
set -eu
root=${1:-/var/lib/vfl} # holds bank, telco and processor, and the authority's directory ca
cd "$root"
[ ! -e bank/party.toml ] || exit 0
python -m data_generators --rows "${ROWS:-3000}" --out ca/data
install -d -m 700 bank telco processor
cp ca/data/bank.csv bank/data.csv
cp ca/data/bank_test.csv bank/test.csv
cp ca/data/telco.csv telco/data.csv
cp ca/data/payments.csv processor/data.csv

vfl party init bank --name bank --role label --data bank/data.csv --key customer_id --label fraud --dev-ca ca
vfl party init telco --name telco --role feature --data telco/data.csv --key customer_id=subscriber \
    --host 0.0.0.0 --dev-ca ca
vfl party init processor --name processor --role feature --data processor/data.csv \
    --key customer_id=payer --host 0.0.0.0 --dev-ca ca

fact() { # FACT of PARTY: what peers need to know
    vfl party show "$1" --json | python -c "import json, sys; print(json.load(sys.stdin)['$2'])"
}
for name in telco processor; do
    vfl party add-peer "$name" bank --fingerprint "$(fact bank fingerprint)" --identity "$(fact bank identity)" \
        --allow align --allow train --allow score
    vfl party add-peer bank "$name" --fingerprint "$(fact "$name" fingerprint)" \
        --identity "$(fact "$name" identity)" --url "https://$name:8443"
done
printf '\n[contract]\npurpose = "find account fraud"\n' >> bank/party.toml
for name in telco processor; do # they sign for this purpose only
    sed -i 's/^\[peers.bank\]$/&\npurposes = ["find account fraud"]/' "$name"/party.toml
done
for name in bank telco processor; do
    printf '\n[metrics]\nport = 9100\n\n[log]\nformat = "json"\n' >> "$name"/party.toml
done
# In a container this script runs as root, since new volumes are root's; the servers do not.
[ "$(id -u)" != 0 ] || chown -R "${OWNER:-10001:10001}" bank telco processor ca
