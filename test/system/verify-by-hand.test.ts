import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createLogVerifier } from '../../agent/verify/log-verifier.ts';
import { leafHash } from '../../agent/wire/merkle.ts';
import { parseStrict } from '../../agent/wire/strict-json.ts';
import type { Root } from '../../agent/wire/schemas/root.ts';
import { makeAlertLog } from '../support/sample-log.ts';
import { makeTrust } from '../support/trust-fixtures.ts';
import { vectorJson } from '../support/vectors.ts';
import { isAgentError } from '../../agent/errors/agent-error.ts';

interface Verdict {
  readonly code: string;
  readonly seq: number | null;
  readonly size: number;
  readonly root: string;
}
interface Task {
  readonly root: Root;
  readonly logs: readonly (readonly string[])[];
  readonly strict: readonly { hex: string; max_bytes: number }[];
}
interface LogFile {
  readonly trust_root: Root;
  readonly cases: readonly {
    name: string;
    lines: string[];
    expect: string;
    seq?: number;
    size?: number;
    root?: string;
  }[];
}

const missing = ['python3', 'openssl'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined);

function byHand(task: Task): { logs: Verdict[]; strict: string[] } {
  const run = spawnSync('python3', [join(import.meta.dirname, 'verify_by_hand.py')], {
    input: JSON.stringify(task),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as { logs: Verdict[]; strict: string[] };
}

function ours(root: Root, lines: readonly string[]): Verdict {
  const verifier = createLogVerifier({ root });
  for (const line of lines) verifier.push(line);
  const verdict = verifier.finish();
  return { code: verdict.code ?? 'ok', seq: verdict.seq, size: verdict.size, root: verdict.root };
}

beforeEach((context) => {
  context.skip(missing.length > 0, `${missing.join(' and ')} not found`);
});

describe('a verifier written from the format pages alone, in Python and OpenSSL', () => {
  it('comes to what the vectors of whole logs say, and to what ours says', () => {
    const { trust_root: root, cases } = vectorJson<LogFile>('log.json');
    // The schema is the one step that it leaves out.
    const judged = cases.filter((c) => c.expect !== 'schema_invalid');
    const { logs } = byHand({ root, logs: judged.map((c) => c.lines), strict: [] });
    judged.forEach((c, i) => {
      expect(logs[i], c.name).toEqual(ours(root, c.lines));
      expect(logs[i]!.code, c.name).toBe(c.expect);
    });
    expect(judged.length).toBeGreaterThan(25);
  });

  it('verifies a log that this code wrote, signatures, chain and root', () => {
    const trust = makeTrust();
    const log = makeAlertLog(trust, 20);
    const { logs } = byHand({ root: trust.root.root, logs: [log.lines], strict: [] });
    expect(logs).toEqual([{ code: 'ok', seq: null, size: 21, root: log.rootAt(21) }]);
  });

  it('reads strict JSON as the vectors say, and as ours does', () => {
    const { max_bytes, cases } = vectorJson<{
      max_bytes: number;
      cases: { name: string; hex: string; expect: string }[];
    }>('strict-json.json');
    const { strict } = byHand({
      root: makeTrust().root.root,
      logs: [],
      strict: cases.map(({ hex }) => ({ hex, max_bytes })),
    });
    cases.forEach((c, i) => {
      expect(strict[i], c.name).toBe(c.expect);
      let code = 'ok';
      try {
        parseStrict(Buffer.from(c.hex, 'hex'), { maxBytes: max_bytes });
      } catch (error) {
        code = isAgentError(error) ? error.code : 'threw';
      }
      expect(code, c.name).toBe(c.expect);
    });
  });
});

describe('the commands that docs/formats/entry.md gives', () => {
  it('verify the signature of an entry and its link to the one before', () => {
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'formats', 'entry.md'), 'utf8');
    const commands = [...page.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1]!);
    const log = makeAlertLog(makeTrust(), 2);
    const folder = mkdtempSync(join(tmpdir(), 'by-hand-'));
    const run = (lines: readonly string[]): string[] => {
      writeFileSync(join(folder, 'log.jsonl'), lines.map((line) => `${line}\n`).join(''));
      return commands.map((command) => {
        const { status, stdout } = spawnSync('sh', ['-ec', command], { cwd: folder, encoding: 'utf8' });
        return `${status} ${stdout.trim()}`;
      });
    };
    try {
      const link = leafHash(log.lines[0]!).toString('hex');
      expect(run(log.lines)).toEqual(['0 Signature Verified Successfully', `0 ${link}`]);
      expect(run([log.lines[0]!, log.lines[1]!.replace('"sig":"', '"sig":"AAAA'), log.lines[2]!])[0]).not.toMatch(/^0/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
