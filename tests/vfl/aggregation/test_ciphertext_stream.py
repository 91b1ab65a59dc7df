"""Ciphertexts cross in chunks and arrive in row order; what is no ciphertext, or not due, is refused."""

import numpy as np
import pytest

from vfl.aggregation.ciphertext_stream import CiphertextReceiver, send_ciphertexts
from vfl.algorithms.trees.messages import CONVERSATION, Gradients, GradientsTaken
from vfl.crypto.kernel import from_ints, to_ints
from vfl.crypto.paillier import Encryptor
from vfl.errors import BadCiphertext, MalformedMessage, OutOfRange, OutOfSequence, PeerRefused
from vfl.wire.channel import LoopbackChannel
from vfl.wire.protocol import Protocol
from vfl.wire.session import FeatureSession, LabelSession, loopback_receiver

ROWS = 7
PROTOCOL = Protocol([CONVERSATION])


@pytest.fixture(scope="module")
def ciphertexts(private_key):
    """Return the ciphertexts of as many different numbers as there are rows, and two further ones."""
    return Encryptor(private_key).encrypt(np.arange(ROWS + 2, dtype=np.uint64)[:, None])


class Table:
    """Ciphertexts by row, which notes what rows are asked for."""

    def __init__(self, ciphertexts):
        self._ciphertexts = ciphertexts
        self.asked = []

    def ciphertexts(self, rows):
        self.asked.append(rows.tolist())
        return self._ciphertexts[rows]


class Arrivals:
    """What a receiver hands on, as plain ciphertexts."""

    def __init__(self, key):
        self.key = key
        self.starts = []
        self.blocks = []

    def take(self, start, residues):
        self.starts.append(start)
        self.blocks.append(self.key.modulus.from_residues(residues))

    @property
    def ciphertexts(self):
        return np.concatenate(self.blocks)


@pytest.fixture
def arrivals(private_key):
    return Arrivals(private_key.public_key)


@pytest.fixture
def receiver(private_key, arrivals):
    return CiphertextReceiver(private_key.public_key, ROWS, arrivals.take)


def chunk(offset, ciphertexts):
    return Gradients(offset, ciphertexts.astype("<u8").tobytes())


def joined(receiver):
    """Return a label party's session with a feature party that receives; real bytes pass between them."""
    feature = FeatureSession(PROTOCOL, "job", "receiving")

    def handle(message):
        return GradientsTaken(receiver.receive(message))

    channel = LoopbackChannel({"telco": loopback_receiver(PROTOCOL, feature, handle)})
    return LabelSession(channel, "telco", "job")


def send(session, table, rows, **options):
    send_ciphertexts(session, table, np.array(rows, dtype=np.int64), Gradients, GradientsTaken, **options)


@pytest.mark.parametrize(
    ("chunk_rows", "starts"),
    [(1, list(range(ROWS))), (3, [0, 3, 6]), (ROWS, [0]), (100, [0])],
    ids=["a row a chunk", "a rest in the last chunk", "one full chunk", "fewer rows than a chunk"],
)
def test_rows_arrive_in_the_order_in_which_they_were_named(
    receiver, arrivals, ciphertexts, chunk_rows, starts
):
    """Whatever the size of chunks, the feature party holds the ciphertext of every row at its place."""
    rows = np.random.default_rng(0).permutation(ROWS)
    send(joined(receiver), Table(ciphertexts), rows, chunk_rows=chunk_rows)
    receiver.check_complete()
    assert arrivals.starts == starts
    assert np.array_equal(arrivals.ciphertexts, ciphertexts[rows])


def test_no_more_rows_are_encrypted_at_a_time_than_a_chunk_has(receiver, ciphertexts):
    """The label party never holds the ciphertexts of all rows."""
    table = Table(ciphertexts)
    send(joined(receiver), table, range(ROWS), chunk_rows=3)
    assert table.asked == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("rows", [4, 5], ids=["a last chunk with a rest", "full chunks"])
def test_further_ciphertexts_come_after_the_last_row(private_key, arrivals, ciphertexts, rows):
    """The last chunk carries them, once, and no chunk is made for them alone."""
    receiver = CiphertextReceiver(private_key.public_key, rows + 2, arrivals.take)
    chunk_rows = 3 if rows == 4 else 5
    send(joined(receiver), Table(ciphertexts), range(rows), last=ciphertexts[ROWS:], chunk_rows=chunk_rows)
    receiver.check_complete()
    assert len(arrivals.starts) == -(-rows // chunk_rows)
    assert np.array_equal(arrivals.ciphertexts, ciphertexts[[*range(rows), ROWS, ROWS + 1]])


def test_no_row_sends_no_message(receiver, arrivals, ciphertexts):
    """Neither an empty chunk nor the further ciphertexts go to a party that has no row."""
    send(joined(receiver), Table(ciphertexts), [], last=ciphertexts[ROWS:])
    assert arrivals.starts == []


@pytest.mark.parametrize("chunk_rows", [3, 100], ids=["a chunk before the last", "the last chunk"])
def test_a_refused_chunk_reaches_whoever_sends(receiver, ciphertexts, chunk_rows):
    """The sender hears the refusal of any chunk, and encrypts little more than it has sent."""
    bad = ciphertexts.copy()
    bad[1] = 0
    table = Table(bad)
    with pytest.raises(PeerRefused) as caught:
        send(joined(receiver), table, range(ROWS), chunk_rows=chunk_rows)
    assert caught.value.peer_code == BadCiphertext.code
    assert len(table.asked) <= 2


def test_a_receiver_counts_the_rows_that_have_come(receiver, ciphertexts):
    """Each chunk is answered with the number of rows so far, and only all of them are complete."""
    assert receiver.receive(chunk(0, ciphertexts[:4])) == 4
    with pytest.raises(OutOfSequence, match="4 of 7 ciphertexts have come"):
        receiver.check_complete()
    assert receiver.receive(chunk(4, ciphertexts[4:ROWS])) == ROWS
    receiver.check_complete()


def test_a_receiver_that_awaits_no_row_is_complete(private_key, arrivals, ciphertexts):
    """Without rows there is nothing to come, and nothing is accepted."""
    receiver = CiphertextReceiver(private_key.public_key, 0, arrivals.take)
    receiver.check_complete()
    with pytest.raises(OutOfRange, match="ciphertext 0 of 0 was due"):
        receiver.receive(chunk(0, ciphertexts[:1]))


@pytest.mark.parametrize(
    ("offset", "rows"),
    [(2, 1), (4, 1), (0, 3), (3, 5)],
    ids=["rows again", "a gap", "the first chunk again", "more rows than there are"],
)
def test_rows_that_are_not_due_are_refused(receiver, arrivals, ciphertexts, offset, rows):
    """Nothing of such a chunk is taken, and the chunk that is due is accepted afterwards."""
    receiver.receive(chunk(0, ciphertexts[:3]))
    with pytest.raises(OutOfRange, match="ciphertext 3 of 7 was due"):
        receiver.receive(chunk(offset, ciphertexts[:rows]))
    assert receiver.receive(chunk(3, ciphertexts[3:ROWS])) == ROWS
    assert np.array_equal(arrivals.ciphertexts, ciphertexts[:ROWS])


@pytest.mark.parametrize("cut", [1, 8, -1], ids=["a byte more", "a word more", "a byte short"])
def test_ciphertexts_come_whole(receiver, arrivals, ciphertexts, cut):
    """A chunk of another length than whole ciphertexts is no message of this protocol."""
    data = ciphertexts[:3].tobytes()
    data = data + bytes(cut) if cut > 0 else data[:cut]
    with pytest.raises(MalformedMessage, match="whole numbers of 512 bytes"):
        receiver.receive(Gradients(0, data))
    assert arrivals.starts == []


def test_an_empty_chunk_is_refused(receiver):
    """A chunk brings a row, so a peer cannot keep a job alive with nothing."""
    with pytest.raises(MalformedMessage, match="and a chunk a row"):
        receiver.receive(Gradients(0, b""))


def test_a_row_of_several_ciphertexts_comes_whole(private_key, arrivals, ciphertexts):
    """Offsets count rows, and a chunk that ends within a row is refused."""
    receiver = CiphertextReceiver(private_key.public_key, 3, arrivals.take, row_ciphertexts=2)
    assert receiver.receive(chunk(0, ciphertexts[:2])) == 1
    with pytest.raises(MalformedMessage, match="a row has 2 ciphertexts"):
        receiver.receive(chunk(1, ciphertexts[2:5]))
    assert receiver.receive(chunk(1, ciphertexts[2:6])) == 3
    receiver.check_complete()
    assert arrivals.starts == [0, 1]
    assert np.array_equal(arrivals.ciphertexts, ciphertexts[:6])


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (lambda key: 0, "is zero"),
        (lambda key: key.p, "not coprime"),
        (lambda key: key.public_key.n * 5, "not coprime"),
        (lambda key: key.public_key.n**2, "not below"),
        (lambda key: 2 ** (64 * key.public_key.limbs) - 1, "not below"),
    ],
    ids=["zero", "a prime of n", "a multiple of n", "n^2", "all bits"],
)
@pytest.mark.parametrize("row", [0, 2])
def test_what_no_encryption_yields_is_refused(receiver, arrivals, private_key, ciphertexts, bad, text, row):
    """One bad ciphertext anywhere in a chunk keeps the whole chunk out."""
    rows = ciphertexts[:3].copy()
    rows[row] = from_ints([bad(private_key)], private_key.public_key.limbs)[0]
    with pytest.raises(BadCiphertext, match=text):
        receiver.receive(chunk(0, rows))
    assert arrivals.starts == []


def test_what_is_handed_on_are_residues(private_key, ciphertexts):
    """Residues that are multiplied are the product of the ciphertexts, which encrypts the sum."""
    key, blocks = private_key.public_key, []
    CiphertextReceiver(key, 3, lambda start, residues: blocks.append(residues)).receive(
        chunk(0, ciphertexts[:3])
    )
    product = to_ints(key.modulus.from_residues(key.modulus.product(blocks[0])))[0]
    a, b, c = to_ints(ciphertexts[:3])
    assert product == a * b * c % key.n**2
