// Public keys that files are sealed to: X25519 recipients of age (https://age-encryption.org/v1), spelt in bech32 (BIP 173). Pure.

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const PREFIX = 'age';
/** A recipient's 32 bytes in digits of 5 bits, and the six digits of the checksum. */
const DIGITS = 52;
const CHECKSUM_DIGITS = 6;
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const RECIPIENT = new RegExp(`^${PREFIX}1[${ALPHABET}]{${DIGITS + CHECKSUM_DIGITS}}$`);

/** True for `age1…` with the right length and checksum: a mistyped letter would seal a recovery key to nobody. */
export function isAgeRecipient(text: string): boolean {
  if (!RECIPIENT.test(text)) return false;
  const digits = Array.from(text.slice(PREFIX.length + 1), (letter) => ALPHABET.indexOf(letter));
  // 32 bytes are 51 digits and one bit: the four bits that are left over are zero.
  if (((digits[DIGITS - 1] ?? 0) & 0b1111) !== 0) return false;
  const codes = Array.from(PREFIX, (letter) => letter.charCodeAt(0));
  return checksum([...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...digits]) === 1;
}

function checksum(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, term] of GENERATOR.entries()) if (((top >>> bit) & 1) === 1) sum ^= term;
  }
  return sum >>> 0;
}
