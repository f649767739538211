import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { booksInForce, checksInForce } from '../../../agent/daemon/content-in-force.ts';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { loadWindows } from '../../../agent/daemon/windows-work.ts';
import { contentFiles, type ContentFiles } from '../../../agent/store/content-files.ts';
import { packRunbook, unpackRunbook } from '../../../agent/wire/runbook-package.ts';
import type { ContentList } from '../../../agent/wire/schemas/content.ts';
import { expectCode } from '../../support/expect-code.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';

const RUNBOOKS = new URL('../../../runbooks/', import.meta.url).pathname;
const own = loadChecks(RUNBOOKS, null);
const baselineText = readFileSync(join(RUNBOOKS, 'baselines/appliance.yaml'), 'utf8');
const mapText = readFileSync(join(RUNBOOKS, `controls/${own.controls[0]!.id}.yaml`), 'utf8');
const neverRuns = {
  open: () => {
    throw new Error('nothing runs here');
  },
};
const shipped = loadWindows(RUNBOOKS, neverRuns, memoryLog()).books;

let dir: string;
let content: ContentFiles;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'in-force-'));
  content = contentFiles(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

type File = ContentList['files'][number];
function fileOf(kind: File['kind'], id: string, bytes: Buffer, version = 2): File {
  const described = { path: `${kind}s/${id}-${version}.yaml`, kind, id, version, size: bytes.length };
  return {
    ...described,
    sha256: content.write(bytes),
    ...(kind === 'runbook' ? { class: 'disruptive' as const } : {}),
  };
}
const listOf = (...files: File[]): ContentList => ({
  schema: 'compliance-agent/content-list/v1',
  partner_id: 'acme',
  version: 2,
  issued_at: 1_800_000_000,
  expires_at: 1_801_000_000,
  files,
  grants: [],
});
const changedBaseline = Buffer.from(baselineText.replace(/^title: .*$/m, 'title: Brought by the content list'));

describe('the baseline and control maps in force', () => {
  it('are the ones that shipped before the first list, and where a list does not name their ids', () => {
    expect(checksInForce(own, null, content)).toEqual(own);
    expect(checksInForce(own, listOf(fileOf('baseline', 'another', changedBaseline)), content)).toEqual(own);
  });

  it('are those of the list where it names their ids, the newest version of them', () => {
    const newer = fileOf('baseline', own.baseline.id, changedBaseline, 3);
    const list = listOf(fileOf('baseline', own.baseline.id, Buffer.from(baselineText), 2), newer);
    const { baseline } = checksInForce(own, list, content);
    expect([baseline.title, baseline.sha256]).toEqual(['Brought by the content list', newer.sha256]);
    const title = Buffer.from(mapText.replace(/^title: .*$/m, 'title: Another title'));
    const maps = checksInForce(own, listOf(fileOf('control_map', own.controls[0]!.id, title)), content).controls;
    expect(maps[0]?.title).toBe('Another title');
    expect(maps.slice(1)).toEqual(own.controls.slice(1));
  });

  it('are refused as a whole where one that the list names is wrong', () => {
    const wrong = fileOf('baseline', own.baseline.id, Buffer.from('id: appliance\nversion: x\n'));
    expectCode(() => checksInForce(own, listOf(wrong), content), 'baseline_invalid');
    const map = fileOf('control_map', own.controls[0]!.id, Buffer.from('{}'));
    expectCode(() => checksInForce(own, listOf(map), content), 'control_map_invalid');
  });

  it('are the ones that shipped where a named file was changed on the disk', () => {
    const file = fileOf('baseline', own.baseline.id, changedBaseline);
    rmSync(join(dir, 'content', file.sha256));
    expect(checksInForce(own, listOf(file), contentFiles(dir)).baseline).toEqual(own.baseline);
  });
});

describe('the runbooks in force', () => {
  const [first] = shipped;
  const log = memoryLog();
  const blob = (change: (text: string) => string): Buffer =>
    packRunbook(
      unpackRunbook(first!.loaded.bytes).map((file) =>
        file.path === 'runbook.yaml' ? { ...file, text: change(file.text) } : file,
      ),
    ).bytes;
  const { id } = first!.loaded.runbook;

  it('are the ones that shipped before the first list', () => {
    expect(booksInForce(shipped, null, content, log)).toEqual(shipped);
  });

  it('are those of the list in the place of shipped ones of their id: the bytes that its digest names', () => {
    const bytes = blob((text) => text.replace(/^version: .*$/m, 'version: 7'));
    const file = fileOf('runbook', id, bytes, 7);
    const books = booksInForce(shipped, listOf(file), content, log);
    const mine = books.filter(({ loaded }) => loaded.runbook.id === id);
    expect(mine.map(({ loaded }) => [loaded.runbook.version, loaded.sha256])).toEqual([[7, file.sha256]]);
    expect(books).toHaveLength(shipped.length);
  });

  it('leave out one that is wrong or gone, with the shipped one of its id, and keep the others', () => {
    const wrong = fileOf(
      'runbook',
      id,
      blob((text) => text.replace(/^risk: .*$/m, 'risk: none at all')),
    );
    const gone = { ...wrong, sha256: 'ab'.repeat(32) };
    for (const file of [wrong, gone]) {
      const books = booksInForce(shipped, listOf(file), content, log);
      expect(books.map(({ loaded }) => loaded.runbook.id)).toEqual(
        shipped.slice(1).map(({ loaded }) => loaded.runbook.id),
      );
    }
    expect(log.phrases()).toContain('runbook left out');
  });
});
