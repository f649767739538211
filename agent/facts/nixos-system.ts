// Reads which system a NixOS machine runs, booted, and starts next: symbolic links and their times, nothing else.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Unreadable } from './probe.ts';

export interface NixosSystem {
  readonly system: 'nixos';
  /** Store path of the running system. */
  readonly runningClosure: string;
  /** SHA-256 of the path, which names everything in it. */
  readonly runningSha256: string;
  readonly bootedSha256: string | null;
  /** Number of the running system in the system profile; null where it is none of its generations. */
  readonly generation: number | null;
  /** When that generation was made, Unix seconds. */
  readonly generationCreatedAt: number | null;
  /** Null where it cannot be told. */
  readonly rebootPending: boolean | null;
  readonly rebootPendingSince: number | null;
}

const PROFILES = 'nix/var/nix/profiles';
const STORE_PATH = /^\/nix\/store\/[0-9a-df-np-sv-z]{32}-[A-Za-z0-9+._?=-]{1,200}$/;
/** What only a restart brings into use. */
const BOOT_PARTS = ['kernel', 'kernel-modules', 'initrd'] as const;

interface Link {
  readonly target: string;
  /** Unix seconds; what links point at in the store has no times of its own. */
  readonly madeAt: number;
}

/** Null where there is no such link. */
function readLink(path: string): Link | null {
  try {
    return { target: readlinkSync(path), madeAt: Math.floor(lstatSync(path).mtimeMs / 1000) };
  } catch (error) {
    if (['ENOENT', 'EINVAL', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

function storeLink(path: string): Link | null {
  const link = readLink(path);
  if (link !== null && !STORE_PATH.test(link.target)) {
    throw new Unreadable('unparsable', `${path} does not point into the store`);
  }
  return link;
}

interface Generation {
  readonly number: number;
  readonly closure: string;
  readonly createdAt: number;
}

function readGenerations(rootDir: string): Generation[] {
  const dir = join(rootDir, PROFILES);
  return readdirSync(dir).flatMap((name) => {
    const number = /^system-(\d{1,9})-link$/.exec(name)?.[1];
    const link = number === undefined ? null : readLink(join(dir, name));
    return link === null ? [] : [{ number: Number(number), closure: link.target, createdAt: link.madeAt }];
  });
}

function bootParts(rootDir: string, closure: string): string {
  return BOOT_PARTS.map((part) => readLink(join(rootDir, closure, part))?.target ?? '-').join('\n');
}

/** A switch that changes nothing renews the link of the running system, so its generation counts where it is of this boot. */
function switchedAt(running: Link, booted: Link, generation: Generation | undefined): number {
  return generation !== undefined && generation.createdAt > booted.madeAt ? generation.createdAt : running.madeAt;
}

const digestOf = (closure: string): string => createHash('sha256').update(closure).digest('hex');

/** Null where this is no NixOS. `rootDir` is where its `/` is. */
export function readNixosSystem(rootDir: string): NixosSystem | null {
  const running = storeLink(join(rootDir, 'run/current-system'));
  if (running === null) return null;
  const booted = storeLink(join(rootDir, 'run/booted-system'));
  const generations = readGenerations(rootDir);
  const defaultName = basename(readLink(join(rootDir, PROFILES, 'system'))?.target ?? '');
  const isDefault = (g: Generation): boolean => `system-${g.number}-link` === defaultName;
  const next = generations.find(isDefault);
  // The same system may be several generations: the one that starts next counts, else the newest.
  const mine = generations
    .filter((g) => g.closure === running.target)
    .sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)) || b.number - a.number)[0];

  const since: number[] = [];
  if (booted !== null && bootParts(rootDir, booted.target) !== bootParts(rootDir, running.target)) {
    since.push(switchedAt(running, booted, mine));
  }
  if (next !== undefined && next.closure !== running.target) since.push(next.createdAt);
  const isKnown = booted !== null && next !== undefined;
  return {
    system: 'nixos',
    runningClosure: running.target,
    runningSha256: digestOf(running.target),
    bootedSha256: booted === null ? null : digestOf(booted.target),
    generation: mine?.number ?? null,
    generationCreatedAt: mine?.createdAt ?? null,
    rebootPending: since.length > 0 ? true : isKnown ? false : null,
    rebootPendingSince: since.length > 0 ? Math.min(...since) : null,
  };
}
