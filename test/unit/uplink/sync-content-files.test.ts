import { describe, expect, it } from 'vitest';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import type { ContentList } from '../../../agent/wire/schemas/content.ts';
import { openScriptedAppliance } from '../../support/scripted-central.ts';
import { blobs, central, fileOf, lab, named, serve, signal, sync } from './documents-lab.ts';

describe('the files that a content list names', () => {
  const has = (file: { sha256: string }): boolean => lab.appliance.store.content.has(file.sha256);
  const inForce = () => lab.appliance.store.trust.document('content')?.version ?? null;
  const offer = (version: number, files: ContentList['files']) =>
    serve('content', central.trust.sign('contentList', central.trust.contentList({ version, files })), version);
  const asked = (): number =>
    central.requests.filter(({ path }) => path.startsWith('/api/v1/appliances/content/')).length;

  it('come before the list does, each once, and those of the list before stay', async () => {
    const [one, two, three] = [fileOf('one'), fileOf('two'), fileOf('three')];
    expect((await sync({ content: offer(1, [one, two]) })).contentChanged).toBe(true);
    expect([has(one), has(two), asked()]).toEqual([true, true, 2]);
    await sync({ content: offer(2, [two, three]) });
    expect([has(one), has(two), has(three), asked()]).toEqual([true, true, true, 3]);
    await sync({ content: offer(3, [three]) });
    expect([has(one), has(two), has(three)]).toEqual([false, true, true]);
  });

  it('all come or the list before stays in force: one that is missing holds up the whole, and comes later', async () => {
    const [one, two, three] = [fileOf('one'), fileOf('two'), fileOf('three')];
    await sync({ content: offer(1, [one]) });
    blobs.delete(three.sha256);
    const second = offer(2, [two, three]);
    const { contentChanged, failures } = await sync({ content: second });
    expect([contentChanged, failures.map((f) => f.code), inForce()]).toEqual([false, ['http_refused'], 1]);
    expect([has(one), has(two)]).toEqual([true, true]);
    fileOf('three');
    expect((await sync({ content: second })).contentChanged).toBe(true);
    expect([inForce(), asked()]).toEqual([2, 4]);
  });

  it('are refused when they are other bytes than the digest says, or of another size', async () => {
    const one = fileOf('one');
    blobs.set(one.sha256, Buffer.from('two'));
    expect((await sync({ content: offer(1, [one]) })).failures.map((f) => f.code)).toEqual(['content_mismatch']);
    blobs.set(one.sha256, Buffer.from('on'));
    expect((await sync({ content: offer(1, [one]) })).failures.map((f) => f.code)).toEqual(['content_mismatch']);
    blobs.set(one.sha256, Buffer.alloc(10_000));
    expect((await sync({ content: offer(1, [one]) })).failures.map((f) => f.code)).toEqual(['response_too_large']);
    expect([inForce(), has(one)]).toEqual([null, false]);
  });

  it('are refused when they are more than 64 MiB together, before any is fetched', async () => {
    const files = Array.from({ length: 17 }, (_, i) => ({ ...fileOf(`file ${i}`), size: 4_194_304 }));
    expect((await sync({ content: offer(1, files) })).failures.map((f) => f.code)).toEqual(['content_too_large']);
    expect(asked()).toBe(0);
  });

  it('come again where one is gone from the disk', async () => {
    const [one, two] = [fileOf('one'), fileOf('two')];
    const list = offer(1, [one, two]);
    await sync({ content: list });
    rmSync(join(lab.appliance.dir, 'content', two.sha256));
    expect([has(one), has(two)]).toEqual([true, false]);
    const later = lab.appliance.restarted();
    expect(await later.syncTrust(named({ content: list }), lab.appliance.evidence, signal)).toMatchObject({
      contentChanged: true,
      failures: [],
    });
    expect([has(two), asked()]).toEqual([true, 3]);
    // What was said of the disk is kept in one process: no file is read with each check-in.
    expect(await later.syncTrust(named({ content: list }), lab.appliance.evidence, signal)).toMatchObject({
      contentChanged: false,
    });
  });

  it('are held against what the appliance can go by before the list comes into force', async () => {
    const judged: number[] = [];
    const strict = openScriptedAppliance(central, {
      judgeContent: (list) => {
        judged.push(list.files.filter((file) => strict.store.content.has(file.sha256)).length);
        throw new AgentError('baseline_invalid', 'line 1: not for this version');
      },
    });
    const content = offer(1, [fileOf('one'), fileOf('two')]);
    const { contentChanged, failures } = await strict.uplink.syncTrust(named({ content }), strict.evidence, signal);
    expect([contentChanged, failures.map((f) => f.code), judged]).toEqual([false, ['baseline_invalid'], [2]]);
    expect(strict.store.trust.document('content')).toBe(null);
    await strict.close();
  });
});
