import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginReset, finishReset, isResetPending } from '../../../agent/identity/reset.ts';
import { LOCK_FILE } from '../../../agent/store/open-store.ts';
import { takeWriterLock } from '../../../agent/store/writer-lock.ts';
import { expectCode } from '../../support/expect-code.ts';

const LOG = ['agent.db-wal', 'agent.db-shm', 'agent.db'];
const KEYS = ['device.key', 'device-2.key', 'identity.json', 'tls.key'];
const SECRET = 'not for anybody';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'reset-'));
  mkdirSync(join(dir, 'keys'));
  mkdirSync(join(dir, 'control'));
  for (const name of LOG) writeFileSync(join(dir, name), `content of ${name}`);
  for (const name of KEYS) writeFileSync(join(dir, 'keys', name), SECRET);
  writeFileSync(join(dir, 'claim.json'), SECRET);
  writeFileSync(join(dir, 'set-aside.json'), '{"folder":"damaged-1"}');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function expectDone(folder: string): void {
  expect(isResetPending(dir)).toBe(false);
  expect(readdirSync(join(dir, 'keys'))).toEqual([]);
  for (const name of ['claim.json', 'control', 'set-aside.json', ...LOG])
    expect(existsSync(join(dir, name))).toBe(false);
  for (const name of LOG) expect(readFileSync(join(dir, folder, name), 'utf8')).toBe(`content of ${name}`);
}

describe('a reset', () => {
  it('wipes every key and sets the log aside whole', () => {
    const folder = beginReset(dir, '2026-03-01-09-00-00');
    expect(finishReset(dir)).toBe(join(dir, folder));
    expectDone(folder);
    expect(finishReset(dir)).toBeNull();
  });

  it('does nothing that nobody asked for', () => {
    expect(finishReset(dir)).toBeNull();
    expect(readdirSync(join(dir, 'keys')).toSorted()).toEqual(KEYS.toSorted());
  });

  it('ends what was begun, wherever a power cut stopped it, and asked for again it stays the same reset', () => {
    const steps = [
      ...LOG.map((name) => (folder: string) => {
        mkdirSync(join(dir, folder), { recursive: true });
        writeFileSync(join(dir, folder, name), readFileSync(join(dir, name)));
        rmSync(join(dir, name));
      }),
      ...KEYS.flatMap((name) => [
        () => writeFileSync(join(dir, 'keys', name), Buffer.alloc(SECRET.length)),
        () => rmSync(join(dir, 'keys', name)),
      ]),
      () => rmSync(join(dir, 'set-aside.json')),
      () => rmSync(join(dir, 'claim.json')),
      () => rmSync(join(dir, 'control'), { recursive: true }),
    ];
    const fresh = (): void => {
      rmSync(dir, { recursive: true, force: true });
      mkdirSync(join(dir, 'keys'), { recursive: true });
      mkdirSync(join(dir, 'control'));
      for (const name of LOG) writeFileSync(join(dir, name), `content of ${name}`);
      for (const name of KEYS) writeFileSync(join(dir, 'keys', name), SECRET);
      for (const name of ['claim.json', 'set-aside.json']) writeFileSync(join(dir, name), SECRET);
    };
    for (let done = 0; done <= steps.length; done++) {
      fresh();
      const folder = beginReset(dir, 'first');
      for (const step of steps.slice(0, done)) step(folder);
      expect(beginReset(dir, 'second')).toBe(folder);
      finishReset(dir);
      expectDone(folder);
    }
  });

  it('touches nothing while a daemon uses the directory', () => {
    beginReset(dir, 'now');
    const unlock = takeWriterLock(join(dir, LOCK_FILE));
    try {
      expectCode(() => finishReset(dir), 'store_locked');
      expect(readdirSync(join(dir, 'keys'))).toHaveLength(KEYS.length);
    } finally {
      unlock();
    }
    finishReset(dir);
    expect(isResetPending(dir)).toBe(false);
  });

  it('keeps the logs of two resets apart', () => {
    const first = beginReset(dir, 'now');
    finishReset(dir);
    writeFileSync(join(dir, 'agent.db'), 'the second one');
    const second = beginReset(dir, 'now');
    finishReset(dir);
    expect(second).not.toBe(first);
    expect(readFileSync(join(dir, second, 'agent.db'), 'utf8')).toBe('the second one');
    expect(readFileSync(join(dir, first, 'agent.db'), 'utf8')).toBe('content of agent.db');
  });

  it.each(['', '{}', '{"folder":"../keys"}', '{"folder":"retired-/etc"}'])(
    'is not led astray by the note %j',
    (text) => {
      writeFileSync(join(dir, 'reset.json'), text);
      expectCode(() => finishReset(dir), 'reset_unreadable');
      expect(readdirSync(join(dir, 'keys'))).toHaveLength(KEYS.length);
    },
  );
});
