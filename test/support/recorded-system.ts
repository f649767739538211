// Output of real systems, as tools/record-fixtures.ts recorded it: loaded only with its origin and its digests, and replayed to
// the probes as the ports and folders from which they read.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import type { ProbeContext } from '../../agent/facts/probe.ts';
import { PROBE_NAMES, type ProbeName } from '../../agent/facts/probes.ts';
import type { Exec } from '../../agent/system/ports.ts';
import { probeContext } from './fixture-facts.ts';

const DIR = join(import.meta.dirname, '../fixtures/recorded');
/** Where the recorder kept what it made. */
export const LAB = '/var/lib/recorded-system';

const CLAMD = 'usr/sbin/clamd';
const STAND_IN = 'in place of clamd';
export const STAND_IN_SHA256 = createHash('sha256').update(STAND_IN).digest('hex');

const text = v.pipe(v.string(), v.nonEmpty());
const schema = v.strictObject({
  schema: v.literal('compliance-agent/recorded-system/v1'),
  origin: v.strictObject({
    system: text,
    os_release: v.strictObject({ id: text, version_id: text, pretty_name: text }),
    kernel: text,
    booted: text,
    recorded_at: v.pipe(v.string(), v.isoTimestamp()),
    pid: v.pipe(v.number(), v.safeInteger()),
  }),
  captures: v.pipe(
    v.array(
      v.strictObject({
        probe: v.picklist(PROBE_NAMES as readonly [ProbeName, ...ProbeName[]]),
        command: v.pipe(v.array(text), v.minLength(1)),
        tool: text,
        status: v.picklist(['exited', 'not_found', 'denied', 'timeout', 'too_much_output', 'aborted', 'signalled']),
        code: v.nullable(v.pipe(v.number(), v.safeInteger())),
        stdout: v.string(),
        encoding: v.picklist(['utf8', 'gzip']),
        stderr: v.string(),
        sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
      }),
    ),
    v.minLength(1),
  ),
});

type Document = v.InferOutput<typeof schema>;
export interface Capture extends Omit<Document['captures'][number], 'stdout' | 'encoding'> {
  readonly stdout: Buffer;
}
export interface RecordedSystem {
  readonly origin: Document['origin'];
  readonly captures: readonly Capture[];
}

/** @throws Error where origin, command, tool or digest is missing, or where the bytes are not those that were recorded */
export function parseRecordedSystem(json: string): RecordedSystem {
  const { origin, captures } = v.parse(schema, JSON.parse(json));
  return {
    origin,
    captures: captures.map(({ stdout: encoded, encoding, ...capture }) => {
      const stdout = encoding === 'utf8' ? Buffer.from(encoded) : gunzipSync(Buffer.from(encoded, 'base64'));
      const digest = createHash('sha256').update(stdout).digest('hex');
      if (digest !== capture.sha256) throw new Error(`${capture.command.join(' ')}: not what was recorded`);
      return { ...capture, stdout };
    }),
  };
}

export const recordedNames = (): string[] =>
  readdirSync(DIR).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []));
export const recordedText = (name: string): string => readFileSync(join(DIR, `${name}.json`), 'utf8');
export const loadRecorded = (name: string): RecordedSystem => parseRecordedSystem(recordedText(name));

/** What one command printed; throws where it was not recorded. */
export function printed(system: RecordedSystem, probe: ProbeName, ...start: string[]): string {
  const found = system.captures.find((one) => one.probe === probe && start.every((word, i) => one.command[i] === word));
  if (found === undefined) throw new Error(`${system.origin.system}: no ${probe} capture of ${start.join(' ')}`);
  return found.stdout.toString('utf8');
}

/** `--since` is the time of the recording. */
const keyOf = (command: readonly string[]): string => command.map((word) => word.replace(/@\d+$/, '@')).join('\0');

/** Answers as the system did, in the same order; paths of apt's lists lead into the tree. */
function replayExec(captures: readonly Capture[], tree: string): Exec {
  const queues = new Map<string, Capture[]>();
  for (const capture of captures)
    queues.set(keyOf(capture.command), [...(queues.get(keyOf(capture.command)) ?? []), capture]);
  return {
    run(argv) {
      const queue = queues.get(keyOf(argv)) ?? [];
      const answer = queue.length > 1 ? queue.shift() : queue[0];
      const stdout = (answer?.stdout.toString('latin1') ?? '').replaceAll(
        '/var/lib/apt/lists/',
        `${tree}/var/lib/apt/lists/`,
      );
      return Promise.resolve({
        status: answer?.status ?? 'not_found',
        code: answer?.code ?? null,
        stdout: Buffer.from(stdout, 'latin1'),
        stderr: Buffer.from(answer?.stderr ?? ''),
        durationMs: 1,
      });
    },
  };
}

/** Files as `cat`, `ls` and `readlink` showed them, and the empty ones that the output of apt names. */
function plant(captures: readonly Capture[], tree: string): void {
  const write = (path: string, content: Buffer | string): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  };
  for (const { command, stdout } of captures) {
    const [tool, path = ''] = [command[0], command.at(-1)];
    const lines = stdout
      .toString('latin1')
      .split('\n')
      .filter((line) => line !== '');
    if (tool === 'cat') write(path, stdout);
    // /proc/net is a link to it.
    if (tool === 'cat' && path.startsWith('/proc/self/net/')) write(path.replace('/self', ''), stdout);
    const pid = /^MainPID=([1-9]\d*)$/m.exec(lines.join('\n'))?.[1];
    if (tool === 'systemctl' && pid !== undefined) {
      // The program is not in the recording; what stands in for it is what the process runs.
      write(CLAMD, STAND_IN);
      mkdirSync(join(tree, 'proc', pid), { recursive: true });
      symlinkSync(join(tree, CLAMD), join(tree, 'proc', pid, 'exe'));
    }
    if (tool === 'apt-get') {
      write('var/lib/dpkg/status', '');
      for (const line of lines) if (line.startsWith('Filename: /')) write(line.slice('Filename: /'.length), '');
    }
    if (tool === 'ls') for (const name of lines) write(join(path, name), '');
    if (tool === 'readlink') {
      const target = join(tree, lines[0] ?? '');
      mkdirSync(target, { recursive: true });
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      symlinkSync(target, join(tree, path));
    }
  }
}

/** A context in which one probe reads what was recorded for it; the folder goes away with `[Symbol.dispose]`. */
export function replay(
  system: RecordedSystem,
  probe: ProbeName,
): { readonly context: ProbeContext; [Symbol.dispose](): void } {
  const captures = system.captures.filter((capture) => capture.probe === probe);
  const tree = mkdtempSync(join(tmpdir(), 'recorded-'));
  // A link first: what lies below a device is listed through it.
  plant(
    captures.toSorted((a, b) => Number(b.command[0] === 'readlink') - Number(a.command[0] === 'readlink')),
    tree,
  );
  const at = (path: string): string => join(tree, path);
  const secret = at(`${LAB}/password`);
  mkdirSync(dirname(secret), { recursive: true });
  writeFileSync(secret, '', { mode: 0o600 });
  mkdirSync(at(`proc/${system.origin.pid}/fd`), { recursive: true });
  const context = probeContext({
    exec: replayExec(captures, tree),
    clock: { wallMs: () => Date.parse(system.origin.recorded_at) },
    stateDir: at(`${LAB}/state`),
    pid: system.origin.pid,
    skewMs: 0,
    databaseCheck: 'ok',
    rootDir: tree,
    procDir: at('proc'),
    runDir: at('run'),
    sysDir: at('sys'),
    devDir: at('dev'),
    watch: {
      backup: {
        repositoryFile: at(`${LAB}/repository-file`),
        passwordFile: secret,
        host: null,
        paths: [],
        readDataPercent: 100,
        restorePath: `${LAB}/source`,
      },
      avEdr: {
        unit: 'clamav-daemon.service',
        binary: at(CLAMD),
        databaseDir: null,
        scanUnit: 'apt-daily.service',
        configFile: at('etc/clamav/clamd.conf'),
      },
      logging: { forwarder: null },
    },
  });
  return { context, [Symbol.dispose]: () => rmSync(tree, { recursive: true }) };
}
