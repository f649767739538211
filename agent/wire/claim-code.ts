// Claim codes: 128 random bits that tie one device to one site once, and how people read, type and scan them
// (docs/formats/enrolment.md). Pure.
import { createHash } from 'node:crypto';

/** Without 0/O and 1/I, which people mix up. 32 characters: 5 bits each. */
export const CLAIM_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const ONLY_ALPHABET = new RegExp(`^[${CLAIM_ALPHABET}]+$`);
/** 128 bits. */
export const CLAIM_CODE_BYTES = 16;
/** A code counts for so long after Central Command first saw it. */
export const CLAIM_LIFE_S = 900;
/** 26 characters hold 128 bits and two zero bits; two more find what was mistyped. */
const CODE_CHARACTERS = 26;
const CHECK_CHARACTERS = 2;
const ALIAS_CHARACTERS = 8;
const GROUP = 4;

/** SHA-256 of the code's bytes, hex: all that Central Command keeps of it. */
export const claimCodeDigest = (code: string): string =>
  createHash('sha256').update(Buffer.from(code, 'hex')).digest('hex');

/** The code as it is printed: seven groups of four characters. @param code 32 lower-case hex digits */
export function claimCodeText(code: string): string {
  const all = characters(BigInt(`0x${code}`) << 2n, CODE_CHARACTERS) + checkOf(code);
  return (all.match(new RegExp(`.{${GROUP}}`, 'g')) ?? []).join('-');
}

/**
 * Eight characters that a person types in the place of the code: they name an open claim and prove nothing.
 *
 * @param code 32 lower-case hex digits
 */
export function claimAlias(code: string): string {
  const digest = createHash('sha256').update('compliance-agent/claim-alias/v1\n').update(Buffer.from(code, 'hex'));
  return characters(BigInt(`0x${digest.digest('hex').slice(0, 10)}`), ALIAS_CHARACTERS);
}

/** What a person typed or a scanner read. */
export type TypedClaim = { readonly code: string } | { readonly alias: string };

/** Reads a code, an alias, or the address of a QR code with the code behind its `#`. Null: neither, or mistyped. */
export function parseTypedClaim(text: string): TypedClaim | null {
  const plain = text
    .slice(text.indexOf('#') + 1)
    .toUpperCase()
    .replaceAll(/[\s-]/g, '');
  if (!ONLY_ALPHABET.test(plain)) return null;
  if (plain.length === ALIAS_CHARACTERS) return { alias: plain };
  if (plain.length !== CODE_CHARACTERS + CHECK_CHARACTERS) return null;
  let bits = 0n;
  for (const c of plain.slice(0, CODE_CHARACTERS)) bits = (bits << 5n) | BigInt(CLAIM_ALPHABET.indexOf(c));
  const code = (bits >> 2n).toString(16).padStart(CLAIM_CODE_BYTES * 2, '0');
  return claimCodeText(code).replaceAll('-', '') === plain ? { code } : null;
}

/** The first 10 bits of the code's digest. */
const checkOf = (code: string): string =>
  characters(BigInt(`0x${claimCodeDigest(code).slice(0, 4)}`) >> 6n, CHECK_CHARACTERS);

function characters(value: bigint, count: number): string {
  let rest = value;
  let out = '';
  for (let i = 0; i < count; i++) {
    out = CLAIM_ALPHABET.charAt(Number(rest & 31n)) + out;
    rest >>= 5n;
  }
  return out;
}
