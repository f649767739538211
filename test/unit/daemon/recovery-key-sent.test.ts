import { beforeAll, describe, expect, it } from 'vitest';
import {
  acknowledgedRecoveryKey,
  AGAIN_AFTER_S,
  isRecoveryKeyDue,
  noteAcknowledgedRecoveryKey,
} from '../../../agent/daemon/recovery-key-sent.ts';
import type { HttpsRequest } from '../../../agent/https/client.ts';
import type { Store } from '../../../agent/store/open-store.ts';
import { handOverRecoveryKey } from '../../../agent/uplink/hand-over-recovery-key.ts';
import { sha256Hex } from '../../../agent/wire/digest.ts';
import { generateEd25519 } from '../../../agent/wire/node-signature.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { makeOwner, VOLUME } from '../../support/sealed-keys.ts';

const AT = 1_790_000_000;
const now = { appliance_id: 'north-1', sha256: 'ab'.repeat(32), at: AT };

describe('whether the recovery key is handed over', () => {
  it('is due before it was acknowledged, for another file or appliance, and a week later by a clock that may have been set back', () => {
    expect(isRecoveryKeyDue(null, now)).toBe(true);
    expect(isRecoveryKeyDue(now, now)).toBe(false);
    expect(isRecoveryKeyDue(now, { ...now, sha256: 'cd'.repeat(32) })).toBe(true);
    expect(isRecoveryKeyDue(now, { ...now, appliance_id: 'north-2' })).toBe(true);
    const after = [AGAIN_AFTER_S - 1, AGAIN_AFTER_S, 1 - AGAIN_AFTER_S, -AGAIN_AFTER_S];
    expect(after.map((s) => isRecoveryKeyDue(now, { ...now, at: AT + s }))).toEqual([false, true, false, true]);
  });

  it('is due again where what was noted cannot be read', () => {
    const kept = new Map<string, string>();
    const settings = {
      get: (key: string) => kept.get(key) ?? null,
      set: (key: string, value: string) => kept.set(key, value),
    };
    const store = { settings } as unknown as Pick<Store, 'settings'>;
    expect(acknowledgedRecoveryKey(store)).toBe(null);
    noteAcknowledgedRecoveryKey(store, now);
    expect(acknowledgedRecoveryKey(store)).toEqual(now);
    for (const text of ['', '{', '[]', '{"sha256":1}']) {
      for (const key of kept.keys()) kept.set(key, text);
      expect(acknowledgedRecoveryKey(store)).toBe(null);
    }
  });
});

describe('the answer to a recovery key', () => {
  let sealed: string;
  beforeAll(async () => {
    sealed = Buffer.from(await (await makeOwner()).seal('recovery key: of nobody')).toString('base64');
  });
  const asked: HttpsRequest[] = [];
  const handed = (answer: unknown, key = { sealed, luksUuid: VOLUME }) => {
    const body = Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer));
    const https = {
      host: 'central.example:8443',
      request: (request: HttpsRequest) => {
        asked.push(request);
        const headers = { 'content-type': 'application/json' };
        return Promise.resolve({ status: 200, headers, body, bytesSent: 1, bytesReceived: 1, caPin: '' });
      },
    };
    const { signer } = generateEd25519();
    const identity = { applianceId: 'north-1', siteId: 'north' };
    return handOverRecoveryKey({ https, signer, identity }, key, new AbortController().signal, 'run-1');
  };

  it('counts for the very file that was handed over, and for nothing else', async () => {
    const sha256 = sha256Hex(Buffer.from(sealed, 'base64'));
    expect(await handed({ sha256, result: 'stored' })).toBe(sha256);
    expect(await handed({ sha256, result: 'known' })).toBe(sha256);
    const others = [
      { sha256: 'ab'.repeat(32), result: 'stored' },
      { result: 'stored' },
      { sha256, result: 'lost' },
      [],
    ];
    for (const other of others) await expectCodeAsync(handed(other), 'response_not_expected');
    await expectCodeAsync(handed('stored'), 'json_not_strict');
  });

  it('is never asked for what is not sealed', async () => {
    const before = asked.length;
    const plain = Buffer.from('recovery key: cbdefghi-jklnrtuv').toString('base64');
    await expectCodeAsync(handed({}, { sealed: plain, luksUuid: VOLUME }), 'schema_invalid');
    expect(asked.length).toBe(before);
  });
});
