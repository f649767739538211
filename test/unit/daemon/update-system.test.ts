import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeReboot } from '../../../agent/daemon/order-handlers/reboot.ts';
import { judgeUpdate, type UpdateSeen } from '../../../agent/daemon/order-handlers/update-system.ts';
import { updateEnd } from '../../../agent/daemon/update-end.ts';
import type { LookedAfter } from '../../../agent/orders/order-handler.ts';

const SYSTEM = {
  closure: `/nix/store/${'1'.repeat(32)}-new`,
  nar_hash: `sha256:0${'z'.repeat(51)}`,
  agent_version: '2.0.0',
};
const seen: LookedAfter = {
  left: { boot_id: 'b', instance: 'i', expected: 'the new version reports', deadline: 1_000, run: 'aa' },
  isSameBoot: true,
  isNewProcess: true,
  isLate: false,
};
const kept: UpdateSeen = {
  running: SYSTEM.closure,
  version: '2.0.0',
  end: { update: 'done', central: 'answered', at: 1 },
};
const reverted = { update: 'reverted', code: 'update_reverted', why: 'agent_crashed', at: 1 } as const;

describe('the end of an ordered update', () => {
  it('is a success where root kept the new system and the new version reads that', () => {
    expect(judgeUpdate(SYSTEM, seen, kept)).toMatchObject({
      kind: 'done',
      result: { central: 'answered', as_declared: true },
    });
  });

  it.each<[string, Partial<UpdateSeen>]>([
    ['root has not said that the new system stays', { end: null }],
    ['the old version still runs', { version: '1.0.0' }],
    ['another system runs', { running: '/nix/store/other' }],
  ])('is waited for where %s, and failed once it is late', (_, change) => {
    expect(judgeUpdate(SYSTEM, seen, { ...kept, ...change })).toBeNull();
    expect(judgeUpdate(SYSTEM, { ...seen, isLate: true }, { ...kept, ...change })).toMatchObject({
      kind: 'failed',
      code: 'update_not_seen',
    });
  });

  it('is reverted or failed as root says, whatever runs', () => {
    expect(judgeUpdate(SYSTEM, seen, { ...kept, end: reverted })).toMatchObject({
      ...{ kind: 'ended', outcome: 'reverted', code: 'update_reverted', result: { why: 'agent_crashed' } },
    });
    const failed = { update: 'failed', code: 'update_pull_failed', at: 1 } as const;
    expect(judgeUpdate(SYSTEM, seen, { ...kept, end: failed })).toMatchObject({
      kind: 'failed',
      code: 'update_pull_failed',
    });
    const unknown = { ...failed, code: 'of a later version' };
    expect(judgeUpdate(SYSTEM, seen, { ...kept, end: unknown })).toMatchObject({ code: 'helper_act_failed' });
  });
});

describe('the end of an ordered restart', () => {
  it('is a success in another boot, waited for in the same, and failed when it is late', () => {
    expect(judgeReboot({ ...seen, isSameBoot: false })).toMatchObject({ kind: 'done', result: { new_boot: true } });
    expect(judgeReboot(seen)).toBeNull();
    expect(judgeReboot({ ...seen, isLate: true })).toMatchObject({ kind: 'failed', code: 'reboot_not_seen' });
    expect(judgeReboot({ ...seen, isSameBoot: false, isLate: true })).toMatchObject({ code: 'reboot_not_seen' });
  });
});

describe('what root left about an update', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'update-end-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const uid = process.getuid?.() ?? 0;
  const leave = (verb: string, at: number, details: object, more: object = {}): void =>
    writeFileSync(
      join(dir, `${verb}.json`),
      JSON.stringify({
        ...{ schema: 'compliance-agent/helper-result/v1', verb, at, boot_id: 'b', sentence: 'x', details },
        ...{ outcome: 'refused', code: 'update_reverted', ...more },
      }),
      { mode: 0o644 },
    );
  const end = (run: string | null) => updateEnd({ dropDir: dir, resultDir: dir }, run, uid);

  it('is the newest word about this very update', () => {
    expect(end('aa')).toBeNull();
    leave('switch-system', 5, { run: 'aa', update: 'done', central: 'silent' }, { outcome: 'done', code: undefined });
    leave('rollback-system', 9, { run: 'bb', update: 'reverted', why: 'interrupted' });
    expect(end('aa')).toEqual({ update: 'done', central: 'silent', at: 5 });
    expect(end('bb')).toEqual({ update: 'reverted', code: 'update_reverted', why: 'interrupted', at: 9 });
    expect(end(null)).toMatchObject({ update: 'reverted' });
  });

  it('is nothing where a unit only said that another is at work, or somebody else wrote it', () => {
    leave('switch-system', 5, { run: 'aa' }, { code: 'helper_update_under_way' });
    expect(end('aa')).toBeNull();
    leave('switch-system', 5, { run: 'aa', update: 'done' });
    expect(updateEnd({ dropDir: dir, resultDir: dir }, 'aa', uid + 1)).toBeNull();
  });
});
