import { describe, expect, it } from 'vitest';
import { verifyReceipt } from '../../../agent/verify/verify-receipt.ts';
import type { Receipt } from '../../../agent/wire/schemas/checkin.ts';
import type { Root } from '../../../agent/wire/schemas/root.ts';
import { expectCode } from '../../support/expect-code.ts';
import { makeTrust, NOW, signerFrom } from '../../support/trust-fixtures.ts';

const trust = makeTrust();
const root = trust.root.root;
const ORIGIN = 'logs.northern-it.example/main-street-1/1';
const ROOT_HASH = 'ab'.repeat(32);
const retired = signerFrom('a receipt key of last year');

const receipt = (partial: Partial<Receipt> = {}): Receipt => ({
  schema: 'compliance-agent/receipt/v1',
  origin: ORIGIN,
  size: 12,
  root: ROOT_HASH,
  stored_at: NOW,
  store: 'files',
  object_id: '0-11.jsonl',
  retain_until: NOW + 220_903_200,
  stored_unverified: [],
  ...partial,
});

describe('a receipt', () => {
  it('is opened where the receipt key signed it, for our log and our root', () => {
    const opened = verifyReceipt(root, trust.sign('receipt', receipt()), {
      origin: ORIGIN,
      rootAt: (size) => (size === 12 ? ROOT_HASH : null),
    });
    expect(opened.value).toEqual(receipt());
    expect(opened.persons).toEqual(['central']);
  });

  it.each([
    ['another log', receipt({ origin: 'logs.northern-it.example/main-street-2/1' })],
    ['another root than ours', receipt({ root: 'cd'.repeat(32) })],
    ['more entries than we have', receipt({ size: 13 })],
  ])('for %s is refused', (_, value) => {
    const line = trust.sign('receipt', value);
    const rootAt = (size: number): string | null => (size === 12 ? ROOT_HASH : null);
    expectCode(() => verifyReceipt(root, line, { origin: ORIGIN, rootAt }), 'receipt_mismatch');
  });

  it.each(['order', 'timestamp', 'registrar', 'witness', 'device'])('signed by the %s key is refused', (name) => {
    expectCode(() => verifyReceipt(root, trust.sign('receipt', receipt(), trust.keys[name]!)), 'signature_invalid');
  });

  it('is refused as any other document', () => {
    expectCode(() => verifyReceipt(root, trust.signUnchecked('receipt', { ...receipt(), extra: 1 })), 'schema_invalid');
    expectCode(() => verifyReceipt(root, trust.sign('order', trust.order())), 'payload_type_mismatch');
    expectCode(() => verifyReceipt(root, '<html>'), 'json_not_strict');
  });
});

describe('a receipt of a former key', () => {
  const withPast = (past: Partial<Root['past_keys'][number]> = {}): Root => ({
    ...root,
    past_keys: [
      {
        role: 'receipt',
        keyid: retired.keyid,
        spki: retired.spki,
        valid_from: NOW - 1_000,
        valid_until: NOW + 1_000,
        status: 'retired',
        ...past,
      },
    ],
  });
  const line = trust.sign('receipt', receipt(), retired);

  it('counts while the key was valid', () => {
    expect(verifyReceipt(withPast(), line).value.size).toBe(12);
    expect(verifyReceipt(withPast({ valid_from: NOW, valid_until: NOW }), line).value.size).toBe(12);
  });

  it.each<[string, Partial<Root['past_keys'][number]>]>([
    ['was stored before the key was valid', { valid_from: NOW + 1 }],
    ['was stored after the key was retired', { valid_until: NOW - 1 }],
    ['is of a compromised key', { status: 'compromised' }],
    ['is of a witness key', { role: 'witness' }],
    ['names the keyid but is of another key', { spki: signerFrom('another').spki }],
  ])('does not count where it %s', (_, past) => {
    expectCode(() => verifyReceipt(withPast(past), line), 'signature_invalid');
  });

  it('does not count where root does not know the key', () => {
    expectCode(() => verifyReceipt(root, line), 'signature_invalid');
  });
});
