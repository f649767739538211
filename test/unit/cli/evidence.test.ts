import { afterAll, beforeAll, describe, it, expect } from 'vitest';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCliState, ROOT_SHA256, trust, type CliState } from '../../support/cli-state.ts';
import { makeTrust } from '../../support/trust-fixtures.ts';
import { dump } from '../../support/store-fixtures.ts';
import { cli } from '../../support/run-cli.ts';

let state: CliState;
let exported = '';
beforeAll(() => {
  state = makeCliState();
  exported = join(state.dir, 'exported');
  mkdirSync(exported);
  writeFileSync(join(exported, 'root.json'), `${trust.root.line}\n`);
  writeFileSync(join(exported, 'log.jsonl'), state.lines);
  writeFileSync(join(exported, 'receipts.jsonl'), `${state.receipt}\n`);
});
afterAll(() => {
  rmSync(state.dir, { recursive: true, force: true });
});

const onState = (...argv: string[]) => cli(['evidence', ...argv, '--state', state.dir]);
const digest = ['--root-sha256', ROOT_SHA256];
function onFile(content: string | Buffer, ...argv: string[]) {
  const path = join(exported, 'given.jsonl');
  writeFileSync(path, content);
  return cli(['evidence', 'verify', path, ...argv]);
}
interface Verdict {
  verdict: string;
  code: string | null;
  seq: number | null;
  size: number;
  refusals: Record<string, number>;
  trust_root: { vouched: boolean; sha256: string };
}

describe('evidence verify', () => {
  it('verifies the local log under the root whose digest is given, and exits 0', async () => {
    const { code, out } = await onState('verify', ...digest);
    expect(code).toBe(0);
    expect(out.split('\n')[0]).toBe('VERIFIED');
    const asJson = await onState('verify', ...digest, '--json');
    expect(asJson.json<Verdict>()).toMatchObject({
      verdict: 'verified',
      ok: true,
      size: state.size,
      receipts: 1,
      refusals: { order_expired: 1 },
      trust_root: { vouched: true, sha256: ROOT_SHA256 },
    });
  });

  it('says UNTRUSTED ROOT and exits 8 where no digest is given, whatever the log says', async () => {
    const { code, out } = await onState('verify');
    expect(code).toBe(8);
    expect(out.split('\n')[0]).toBe('UNTRUSTED ROOT');
    const asJson = await onState('verify', '--json');
    expect(asJson.code).toBe(8);
    expect(asJson.json<Verdict>()).toMatchObject({ verdict: 'untrusted_root', trust_root: { vouched: false } });
  });

  it('refuses a root with another digest than the one that is given', async () => {
    const { code, err } = await onState('verify', '--root-sha256', 'ab'.repeat(32));
    expect([code, err.split(':')[0]]).toEqual([4, 'root_digest_mismatch']);
  });

  it('verifies a whole log that an attacker made under a root of their own as UNTRUSTED ROOT only', async () => {
    const attacker = makeTrust({ seed: 'attacker' });
    writeFileSync(join(exported, 'attacker.json'), attacker.root.line);
    const { code, err } = await onFile(state.lines, '--root', join(exported, 'attacker.json'), ...digest);
    expect([code, err.split(':')[0]]).toEqual([4, 'root_digest_mismatch']);
  });

  it('verifies exported lines with the root that lies beside them', async () => {
    const { code, out } = await cli(['evidence', 'verify', join(exported, 'log.jsonl'), ...digest]);
    expect(code).toBe(0);
    expect(out).toContain('none: entries after the last one could be missing');
  });

  it('gives the same verdict for a folder of files in the order of their numbers', async () => {
    const folder = join(exported, 'parts');
    mkdirSync(folder);
    const lines = state.lines.split('\n').slice(0, -1);
    writeFileSync(join(folder, '0-1.jsonl'), `${lines.slice(0, 2).join('\n')}\n`);
    writeFileSync(join(folder, `2-${lines.length - 1}.jsonl`), `${lines.slice(2).join('\n')}\n`);
    writeFileSync(join(folder, 'notes.txt'), 'not evidence');
    const { code, out } = await cli(['evidence', 'verify', folder, ...digest, '--json']);
    expect([code, (JSON.parse(out) as Verdict).size]).toEqual([0, state.size]);
  });

  it('says the first entry that does not hold, with its code, and exits 4', async () => {
    const lines = state.lines.split('\n');
    const swapped = [lines[0], lines[2], lines[1], ...lines.slice(3)].join('\n');
    const { code, out } = await onFile(swapped, ...digest, '--json');
    expect(code).toBe(4);
    expect(JSON.parse(out)).toMatchObject({ verdict: 'failed', ok: false, seq: 1 });
  });

  it.each<[string, () => string | Buffer, number?]>([
    ['an empty file', () => '', 9],
    ['a file of zeros', () => Buffer.alloc(300_000)],
    ['one endless line', () => 'x'.repeat(3_000_000)],
    ['random text', () => 'hello\nworld\n'],
    ['a line with a carriage return', () => state.lines.replaceAll('\n', '\r\n')],
    ['an empty line between entries', () => state.lines.replace('\n', '\n\n')],
    ['a changed character', () => state.lines.replace('cGF5', 'cGF6').replace(/"sig":"./, '"sig":"_')],
    ['a log without its entry 0', () => state.lines.split('\n').slice(1).join('\n')],
  ])('does not verify %s', async (_what, content, exit = 4) => {
    const { code, out } = await onFile(content(), ...digest, '--json');
    expect(code).toBe(exit);
    expect(JSON.parse(out)).toMatchObject({ verdict: 'failed', code: expect.any(String) });
  });

  it('notices with a receipt that the end of a log is missing', async () => {
    const cut = state.lines.split('\n').slice(0, -2).join('\n');
    expect((await onFile(cut, ...digest)).code).toBe(0);
    const receipts = ['--receipts', join(exported, 'receipts.jsonl')];
    const { code, out } = await onFile(cut, ...digest, ...receipts, '--json');
    expect([code, (JSON.parse(out) as Verdict).code]).toEqual([9, 'log_truncated']);
    expect((await onFile(state.lines, ...digest, ...receipts)).out).toContain('1 fulfilled');
  });

  it('says which entries of the local log are witnessed and which are unanchored', async () => {
    const { out } = await onState('verify', ...digest);
    const last = state.size - 1;
    expect(out).toContain(`entries 0 to ${last - 1}: witnessed=1 (operator), last seen`);
    expect(out).toContain(`entries ${last} to ${last}: unanchored, only the appliance's own word`);
    const asJson = await onState('verify', ...digest, '--json');
    expect(asJson.json<object>()).toMatchObject({
      checkpoints: 1,
      witnessed: { size: last },
      ranges: [
        { from_seq: 0, to_seq: last, range: 'witnessed=1' },
        { from_seq: last, to_seq: state.size, range: 'unanchored' },
      ],
    });
  });

  it('writes the cosigned checkpoints, and holds exported lines against them', async () => {
    const { out } = await onState('checkpoints');
    expect(out).toBe(state.checkpoint);
    const asJson = await onState('checkpoints', '--json');
    expect(asJson.json<{ checkpoints: object[] }>().checkpoints).toMatchObject([
      { size: state.size - 1, note: state.checkpoint },
    ]);
    const file = join(exported, 'checkpoints.txt');
    writeFileSync(file, out);
    const against = ['--checkpoints', file, ...digest];
    expect((await onFile(state.lines, ...against)).out).toContain('witnessed=1 (operator)');
    const cut = state.lines.split('\n').slice(0, 2).join('\n');
    const { code, out: said } = await onFile(cut, ...against);
    expect([code, said.split('\n')[1]]).toEqual([9, expect.stringContaining('log_truncated at entry 2')]);
    writeFileSync(file, 'no note');
    expect((await onFile(state.lines, ...against)).err.split(':')[0]).toBe('note_invalid');
  });

  it('says that there is no root to verify by', async () => {
    const folder = join(state.dir, 'lonely', 'deeper');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'log.jsonl'), state.lines);
    const { code, err } = await cli(['evidence', 'verify', join(folder, 'log.jsonl'), ...digest]);
    expect([code, err.split(':')[0]]).toEqual([2, 'root_not_found']);
  });

  it('says that the file or folder does not exist, or holds no evidence', async () => {
    expect((await cli(['evidence', 'verify', '/nonexistent', ...digest])).err.split(':')[0]).toBe('file_missing');
    const empty = join(state.dir, 'none');
    mkdirSync(empty);
    expect((await cli(['evidence', 'verify', empty, ...digest])).err.split(':')[0]).toBe('usage');
  });

  it('takes the digest in capitals and with its algorithm in front', async () => {
    expect((await onState('verify', '--root-sha256', `sha256:${ROOT_SHA256.toUpperCase()}`)).code).toBe(0);
  });

  it('agrees with itself when a second implementation checks each signature', async () => {
    expect((await onState('verify', ...digest, '--second-opinion')).code).toBe(0);
  });
});

describe('evidence list', () => {
  it('shows the newest entries first, each on one line', async () => {
    const { code, out } = await onState('list');
    const lines = out.trimEnd().split('\n');
    expect([code, lines.length]).toEqual([0, state.size]);
    expect(lines[0]).toMatch(/^3 +2026-.*Z +order +unreadable refused expired order_expired\. The order is too old\.$/);
    expect(lines.at(-1)).toMatch(/^0 .* epoch +log opened, confirmed$/);
  });

  it('filters by kind, starts where it is told and obeys the limit', async () => {
    const seqs = async (...argv: string[]) =>
      (await onState('list', '--json', ...argv))
        .json<{ entries: { seq: number }[] }>()
        .entries.map((entry) => entry.seq);
    expect(await seqs('--kind', 'finding')).toEqual([2, 1]);
    expect(await seqs('--from', '1', '--limit', '2')).toEqual([1, 2]);
    expect(await seqs('--limit', '1')).toEqual([3]);
    expect(await seqs('--epoch', '7')).toEqual([]);
  });

  it('writes the exact signed lines, which verify elsewhere', async () => {
    const { code, out } = await onState('list', '--lines');
    expect([code, out === state.lines]).toEqual([0, true]);
    expect((await onFile(out, ...digest)).code).toBe(0);
  });

  it('writes no lines with holes', async () => {
    expect((await onState('list', '--lines', '--kind', 'finding')).code).toBe(2);
  });
});

describe('evidence show', () => {
  it('shows one entry whole with its leaf and whether Central Command has it', async () => {
    const { code, ...rest } = await onState('show', '1', '--json');
    expect(code).toBe(0);
    expect(rest.json()).toMatchObject({
      seq: 1,
      epoch: 1,
      stored: true,
      statement: { predicate: { kind: 'finding' } },
    });
    expect((await onState('show', '3', '--json')).json()).toMatchObject({ stored: false });
    expect((await onState('show', '1')).out).toContain('disk on appliance: pass.');
  });

  it('writes one exact line', async () => {
    const { out } = await onState('show', '2', '--line');
    expect(out).toBe(`${state.lines.split('\n')[2] ?? ''}\n`);
  });

  it('says that there is no such entry', async () => {
    const { code, err } = await onState('show', '99');
    expect([code, err.split(':')[0]]).toEqual([2, 'entry_unknown']);
  });
});

describe('orders', () => {
  it('shows the journal and the refusals in one list, newest first', async () => {
    const { code, out } = await cli(['orders', '--state', state.dir]);
    const lines = out.trimEnd().split('\n');
    expect([code, lines.length]).toEqual([0, 2]);
    expect(lines[0]).toContain('run_check');
    expect(lines[1]).toMatch(/refused +expired +#3 +order_expired: The order is too old\.$/);
    const { orders, refusals } = (await cli(['orders', '--state', state.dir, '--json'])).json<
      Record<string, object[]>
    >();
    expect(orders).toMatchObject([{ kind: 'run_check', state: 'result', outcome: 'success' }]);
    expect(refusals).toMatchObject([{ code: 'order_expired', evidence_seq: 3 }]);
  });
});

describe('a state directory that is not what it should be', () => {
  it('says that nothing is enrolled where no daemon ran', async () => {
    for (const argv of [['orders'], ['evidence', 'list'], ['evidence', 'verify']]) {
      const { code, err } = await cli([...argv, '--state', join(state.dir, 'nowhere')]);
      expect([code, err.split(':')[0]]).toEqual([3, 'not_enrolled']);
    }
  });

  it('says that the database is no database', async () => {
    const dir = join(state.dir, 'damaged');
    mkdirSync(dir);
    writeFileSync(join(dir, 'agent.db'), 'not a database, but long enough to be looked at'.repeat(100));
    const { code, err } = await cli(['orders', '--state', dir]);
    expect([code, err.split(':')[0]]).toEqual([5, 'store_corrupt']);
  });

  it('changes nothing in the database, whatever is asked', async () => {
    const before = dump(state.dir);
    const bytes = readFileSync(join(state.dir, 'agent.db'));
    for (const argv of [
      ['orders'],
      ['evidence', 'list'],
      ['evidence', 'show', '0'],
      ['evidence', 'verify'],
      ['status'],
    ]) {
      await cli([...argv, '--state', state.dir]);
    }
    expect(dump(state.dir)).toBe(before);
    expect(readFileSync(join(state.dir, 'agent.db')).equals(bytes)).toBe(true);
  });
});
