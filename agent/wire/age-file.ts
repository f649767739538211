// Files that age sealed to public keys (https://age-encryption.org/v1): told from anything else without being opened. Pure.

/** A recovery note sealed to eight recipients has 2 KB. */
export const MAX_SEALED_BYTES = 16_384;

/**
 * The header: its version, one part for each recipient (kind and arguments, then its body in lines of 64 characters and a shorter one),
 * and its authentication code. Each part of the pattern can match in one way only.
 */
const HEADER =
  /^age-encryption\.org\/v1\n(?:-> [\x21-\x7e]+(?: [\x21-\x7e]+)*\n(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{0,63}\n)+--- [A-Za-z0-9+/]{43}\n/;
/** What follows holds a nonce, and a tag where nothing was sealed. */
const MIN_BODY_BYTES = 32;
/** Sealed with a passphrase: whoever holds the file can try words. */
const BY_PASSPHRASE = '\n-> scrypt ';

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----';
const END = '-----END AGE ENCRYPTED FILE-----';
const ARMOR = new RegExp(
  `^${BEGIN}\\r?\\n((?:[A-Za-z0-9+/]{64}\\r?\\n)*(?:[A-Za-z0-9+/=]{1,64}\\r?\\n)?)${END}\\r?\\n?$`,
);
const ARMOR_COLUMNS = 64;

/** What an armoured file holds; the bytes themselves where they are not armoured; null for a broken armour. */
function withoutArmor(file: Uint8Array): Buffer | null {
  const text = Buffer.from(file).toString('latin1');
  if (!text.startsWith('-----')) return Buffer.from(file);
  const base64 = ARMOR.exec(text)?.[1]?.replaceAll(/\r?\n/g, '');
  if (base64 === undefined) return null;
  const bytes = Buffer.from(base64, 'base64');
  return bytes.toString('base64') === base64 ? bytes : null;
}

/** True for a whole file, armoured or not, that is sealed to public keys, and that nobody can open who has none of their secret ones. */
export function isAgeFile(file: Uint8Array): boolean {
  if (file.length > MAX_SEALED_BYTES) return false;
  const text = withoutArmor(file)?.toString('latin1');
  const header = text === undefined ? undefined : HEADER.exec(text)?.[0];
  if (text === undefined || header === undefined || header.includes(BY_PASSPHRASE)) return false;
  return text.length - header.length >= MIN_BODY_BYTES;
}

/** The same file as text of lines, whatever it was: nothing but base64 between the first line and the last. @throws for a broken armour */
export function armoredAgeFile(file: Uint8Array): string {
  const bytes = withoutArmor(file);
  if (bytes === null) throw new RangeError('this is no file of age');
  const lines = bytes.toString('base64').match(new RegExp(`.{1,${ARMOR_COLUMNS}}`, 'g')) ?? [];
  return `${[BEGIN, ...lines, END].join('\n')}\n`;
}
