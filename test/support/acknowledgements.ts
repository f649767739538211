// Runs a program that prints one JSON line per acknowledged commit, and stops it in the middle of its work.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Acknowledgement {
  readonly ready?: number;
  readonly entry?: number;
  readonly digest?: string;
  readonly order?: string;
  /** Entries below which lines were pruned. */
  readonly pruned?: number;
}

export interface Acknowledged {
  /** Read before `stop` was called: these commits returned before it, beyond doubt. */
  readonly before: readonly Acknowledgement[];
  /** Read since. Whether such a commit returned before or after the moment of a power cut cannot be told. */
  readonly since: readonly Acknowledgement[];
}

/**
 * Starts `program` with `dir`, lets it acknowledge `after` commits, calls `stop` while it goes on, and gives everything
 * that it had acknowledged by its end. Rejects when it ends by itself before that.
 */
export async function acknowledgedUntil(
  program: string,
  dir: string,
  after: number,
  stop: (kill: () => void) => void,
): Promise<Acknowledged> {
  const child = spawn(process.execPath, [program, dir], { stdio: ['ignore', 'pipe', 'pipe'] });
  const complaints: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  const before: Acknowledgement[] = [];
  const since: Acknowledgement[] = [];
  let stopped = false;
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    // The line that the end cut in two acknowledges nothing.
    if (!line.endsWith('}')) continue;
    (stopped ? since : before).push(JSON.parse(line) as Acknowledgement);
    if (stopped || before.length <= after) continue;
    stopped = true;
    stop(() => child.kill('SIGKILL'));
  }
  await ended;
  if (!stopped) throw new Error(`${program} ended by itself: ${Buffer.concat(complaints).toString()}`);
  return { before, since };
}

/** Numbers in [0, 1) that the seed repeats (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed in the environment, or a new one; printed, so that a failure can be repeated. */
export function chosenSeed(name: string): number {
  const seed = Number(process.env[name] ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`${name}=${seed}\n`);
  return seed;
}
