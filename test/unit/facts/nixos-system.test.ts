import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFacts } from '../../../agent/facts/read-facts.ts';
import type { NixosSystem } from '../../../agent/facts/nixos-system.ts';
import { nixosTree, type NixosTree } from '../../support/nixos-tree.ts';
import { probeContext, READ_AT } from '../../support/fixture-facts.ts';

const DAY = 86_400;
const BOOTED = READ_AT - 10 * DAY;

let tree: NixosTree;
let old: string;
let updated: string;
let tuned: string;

/** Booted into generation 7 ten days ago, which runs and starts next. */
beforeEach(() => {
  tree = nixosTree();
  old = tree.system('clinic-1', 'linux-6.12.1');
  updated = tree.system('clinic-2', 'linux-6.12.2');
  tuned = tree.system('clinic-3', 'linux-6.12.1');
  tree.boot(old, BOOTED);
  tree.run(old, BOOTED);
  tree.generation(7, old, READ_AT - 20 * DAY);
  tree.setDefault(7);
});
afterEach(() => tree[Symbol.dispose]());

async function fact(): Promise<NonNullable<Awaited<ReturnType<typeof readFacts>>['patching']>> {
  const { patching } = await readFacts(['patching'], probeContext({ rootDir: tree.dir }));
  if (patching === undefined) throw new Error('nothing was read');
  return patching;
}

async function read(): Promise<NixosSystem> {
  const patching = await fact();
  if (patching.status !== 'read' || patching.value.system !== 'nixos') throw new Error(JSON.stringify(patching));
  return patching.value;
}

describe('the links of a NixOS machine', () => {
  it('a system that was booted, runs and starts next has no restart pending, and its generation gives its age', async () => {
    expect(await read()).toMatchObject({
      runningClosure: old,
      generation: 7,
      generationCreatedAt: READ_AT - 20 * DAY,
      rebootPending: false,
      rebootPendingSince: null,
    });
  });

  it('a switch to another kernel leaves a restart pending since the generation was made', async () => {
    tree.generation(8, updated, READ_AT - 2 * DAY);
    tree.setDefault(8);
    tree.run(updated, READ_AT - 2 * DAY + 60);
    const system = await read();
    expect(system).toMatchObject({ generation: 8, rebootPending: true, rebootPendingSince: READ_AT - 2 * DAY });
    expect(system.bootedSha256).not.toBe(system.runningSha256);
  });

  it('a nightly switch that changes nothing does not start the wait for a restart anew', async () => {
    tree.generation(8, updated, READ_AT - 3 * DAY);
    tree.setDefault(8);
    tree.run(updated, READ_AT - 60);
    expect((await read()).rebootPendingSince).toBe(READ_AT - 3 * DAY);
  });

  it('a switch back to a generation from before the boot counts from the switch', async () => {
    const older = tree.system('clinic-0', 'linux-6.12.0');
    tree.generation(6, older, READ_AT - 90 * DAY);
    tree.setDefault(6);
    tree.run(older, READ_AT - 60);
    expect(await read()).toMatchObject({ generation: 6, rebootPending: true, rebootPendingSince: READ_AT - 60 });
  });

  it('a switch that keeps the kernel needs no restart', async () => {
    tree.generation(8, tuned, READ_AT - DAY);
    tree.setDefault(8);
    tree.run(tuned, READ_AT - DAY);
    expect(await read()).toMatchObject({ generation: 8, rebootPending: false });
  });

  it('a system that is only set to start next leaves a restart pending, though it keeps the kernel', async () => {
    tree.generation(8, tuned, READ_AT - DAY);
    tree.setDefault(8);
    expect(await read()).toMatchObject({ generation: 7, rebootPending: true, rebootPendingSince: READ_AT - DAY });
  });

  it('a system that was only tried is no generation', async () => {
    tree.run(tuned, READ_AT - 60);
    expect(await read()).toMatchObject({ generation: null, generationCreatedAt: null, rebootPending: true });
  });

  it('the same system in two generations is the one that starts next', async () => {
    tree.generation(8, updated, READ_AT - 2 * DAY);
    tree.generation(9, old, READ_AT - DAY);
    expect((await read()).generation).toBe(7);
    tree.setDefault(9);
    expect((await read()).generation).toBe(9);
  });

  it('without the link of the booted system nobody knows whether a restart is pending', async () => {
    rmSync(join(tree.dir, 'run/booted-system'));
    expect(await read()).toMatchObject({ bootedSha256: null, rebootPending: null });
  });

  it.each(['/home/somebody/system', '/nix/store/short-name', '../store'])(
    'a link to %s is not taken for a system',
    async (target) => {
      rmSync(join(tree.dir, 'run/current-system'));
      symlinkSync(target, join(tree.dir, 'run/current-system'));
      expect(await fact()).toMatchObject({ status: 'unreadable', reason: 'unparsable' });
    },
  );

  it('a machine that is neither NixOS nor Debian-like is unreadable', async () => {
    rmSync(join(tree.dir, 'run/current-system'));
    expect(await fact()).toMatchObject({ status: 'unreadable', reason: 'missing_tool' });
  });
});
