"""How fast the kernel multiplies, and what that makes of Paillier: ``python -m benchmarks.kernel``.

Every figure is the median of several repetitions, on numbers drawn fresh for the run. ``gmpy2`` is
the reference kernel's own ``a * b % m`` without any conversion of limbs.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import gmpy2
import numpy as np

from vfl.crypto import kernel, paillier
from vfl.crypto.kernel import Limbs, Modulus, to_bytes
from vfl.crypto.paillier import Decryptor, Encryptor, check_ciphertexts

WIDTHS = (2048, 3072, 4096, 6144)  # p^2 and n^2 of 2048- and 3072-bit keys


def seconds(
    work: Callable[[], object], repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """The median time of ``work``, once warm."""
    work()
    times = []
    for _ in range(repetitions):
        start = clock()
        work()
        times.append(clock() - start)
    return statistics.median(times)


def random_residues(modulus: Modulus, rows: int) -> Limbs:
    plain = np.frombuffer(bytearray(secrets.token_bytes(8 * rows * modulus.limbs)), dtype=np.uint64)
    return modulus.to_residues(modulus.reduce(plain.reshape(rows, modulus.limbs)))


def multiplications(bits: int, threads: int, repetitions: int) -> dict[str, float]:
    """Microseconds of processor time, all threads busy, for one multiplication in a sum by group, by path."""
    root = secrets.randbits(bits // 2) | 1 | 3 << (bits // 2 - 2)
    rows = 4096 * threads
    order = np.random.default_rng(0).permutation(rows)
    groups = np.arange(rows, dtype=np.int32) % 32
    figures = {}
    if kernel.kernel_name() != "reference":
        for path in ("ifma", "portable"):
            try:
                modulus = Modulus(to_bytes(root**2), path=path)
            except ValueError:
                continue  # this CPU lacks the path
            residues = random_residues(modulus, rows)

            def sum_rows(modulus: Modulus = modulus, residues: Limbs = residues) -> Limbs:
                return modulus.sum_by_group(residues, order, groups, 32)

            figures[path] = seconds(sum_rows, repetitions, time.process_time) / (rows - 32) * 1e6
    m = gmpy2.mpz(root**2)
    numbers = [gmpy2.mpz(secrets.randbelow(root**2)) for _ in range(200)]
    pairs = list(zip(numbers, numbers[::-1], strict=True))
    taken = seconds(lambda: [a * b % m for a, b in pairs], repetitions, time.process_time)
    figures["gmpy2"] = taken / len(pairs) * 1e6
    return figures


def paillier_rates(bits: int, rows: int, repetitions: int) -> dict[str, float]:
    """Operations a second with all threads, arrays in and arrays out."""
    key = paillier.generate(bits)
    modulus = key.public_key.modulus
    plain = np.frombuffer(bytearray(secrets.token_bytes(16 * rows)), dtype=np.uint64).reshape(rows, 2)
    rates, ciphertexts = {}, plain
    for profile in ("full", "short"):
        encryptor = Encryptor(key, profile)
        ciphertexts = encryptor.encrypt(plain)
        rates[f"encryptions, {profile}"] = rows / seconds(lambda: encryptor.encrypt(plain), repetitions)  # noqa: B023
    residues = check_ciphertexts(key.public_key, ciphertexts)
    order = np.random.default_rng(0).integers(0, rows, 16 * rows)
    groups = np.random.default_rng(1).integers(0, 256, 16 * rows).astype(np.int32)
    taken = seconds(lambda: modulus.sum_by_group(residues, order, groups, 256), repetitions)
    rates["additions"] = (16 * rows - 256) / taken
    few, decryptor = ciphertexts[: max(64, rows // 8)], Decryptor(key)
    rates["decryptions"] = len(few) / seconds(lambda: decryptor.decrypt(few), repetitions)
    return rates


def machine(threads: int, repetitions: int) -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return {
        "kernel": kernel.kernel_name(),
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": threads,
        "repetitions": repetitions,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "gmpy2": gmpy2.version(),
    }


@click.command(epilog="Example: python -m benchmarks.kernel --threads 1 --json kernel.json")
@click.option("--threads", type=click.IntRange(1, 256), default=os.cpu_count(), show_default=True)
@click.option(
    "--rows", type=click.IntRange(64), default=4096, show_default=True, help="Rows to encrypt at a time."
)
@click.option("--repetitions", type=click.IntRange(1), default=5, show_default=True)
@click.option("--bits", type=int, multiple=True, default=(2048, 3072), show_default=True, help="Key lengths.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the figures here as well.")
def main(threads: int, rows: int, repetitions: int, bits: tuple[int, ...], json_file: str | None) -> None:
    """Measure the kernel and Paillier on this machine."""
    kernel.set_threads(threads)
    figures: dict[str, Any] = machine(threads, repetitions)
    click.echo(", ".join(f"{name} {value}" for name, value in figures.items()))
    click.echo("\nmicroseconds of processor time for one multiplication, in a sum by group on all threads")
    figures["multiplication_us"] = {}
    for width in WIDTHS:
        row = figures["multiplication_us"][width] = multiplications(width, threads, repetitions)
        click.echo(f"{width:>6} bits  " + "  ".join(f"{path} {us:6.3f}" for path, us in row.items()))
    click.echo("\nPaillier, a second, on all threads")
    figures["paillier_per_second"] = {}
    for key_bits in bits:
        rates = figures["paillier_per_second"][key_bits] = paillier_rates(key_bits, rows, repetitions)
        click.echo(
            f"{key_bits:>6} bits  " + "  ".join(f"{name}: {rate:,.0f}" for name, rate in rates.items())
        )
    if json_file:
        Path(json_file).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
