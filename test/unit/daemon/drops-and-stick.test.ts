import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tidyStick } from '../../../agent/daemon/stages/enrol-stage.ts';
import type { DaemonContext } from '../../../agent/daemon/context.ts';
import { dropControl, takeControlDrops } from '../../../agent/system/status-file.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';

describe('what lies in the folders that the daemon looks into', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'drops-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('a named pipe among the requests does not hold the daemon: it is no request and goes', () => {
    mkdirSync(join(dir, 'control'));
    execFileSync('mkfifo', [join(dir, 'control/pipe.json')]);
    dropControl(dir, 'check_now', 'good');
    const verbs = takeControlDrops(dir).map((drop) => drop.verb);
    expect(verbs.toSorted()).toEqual(['check_now', 'unknown']);
    expect(existsSync(join(dir, 'control/pipe.json'))).toBe(false);
  });

  it('a request that is too long or no JSON asks for nothing and goes', () => {
    mkdirSync(join(dir, 'control'));
    writeFileSync(join(dir, 'control/long.json'), `{"verb":"check_now","x":"${'x'.repeat(5_000)}"}`);
    writeFileSync(join(dir, 'control/text.json'), 'check_now');
    expect(takeControlDrops(dir).map((drop) => drop.verb)).toEqual(['unknown', 'unknown']);
    expect(takeControlDrops(dir)).toEqual([]);
  });

  it('a pause of healing without a length, with one below a second or beyond 30 days, pauses nothing', () => {
    for (const [name, for_s] of Object.entries({ a: 0, b: 1.5, c: 30 * 86_400 + 1, d: -1 })) {
      dropControl(dir, 'healing_pause', name, { for_s });
    }
    dropControl(dir, 'healing_pause', 'e');
    dropControl(dir, 'healing_pause', 'f', { for_s: 60 });
    const drops = takeControlDrops(dir).toSorted((x, y) => (x.name < y.name ? -1 : 1));
    expect(drops.map(({ verb, for_s }) => [verb, for_s])).toEqual([
      ...Array.from({ length: 5 }, () => ['unknown', undefined]),
      ['healing_pause', 60],
    ]);
  });

  it('a stick that cannot be tidied after enrolment is a line in the log and stops nothing', () => {
    const log = memoryLog();
    const context = { config: { provision_dir: join(dir, 'gone') }, log } as unknown as DaemonContext;
    expect(() => tidyStick(context, 'enrolled')).not.toThrow();
    expect(log.phrases()).toEqual(['provisioning files not tidied']);
    tidyStick(context, null);
    expect(log.phrases()).toHaveLength(1);
  });
});
