import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseBaseline } from '../../../agent/checks/baseline.ts';
import { parseControlMap } from '../../../agent/checks/controls.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { expectCode } from '../../support/expect-code.ts';
import { RUNBOOKS } from './sample-facts.ts';

const file = (path: string): Buffer => readFileSync(join(RUNBOOKS, path));
const appliance = file('baselines/appliance.yaml').toString();
/** Refuses the edited baseline and returns the error; the edit must change something. */
function refused(edit: (text: string) => string) {
  const text = edit(appliance);
  expect(text).not.toBe(appliance);
  return expectCode(() => parseBaseline(Buffer.from(text), 'b.yaml'), 'baseline_invalid');
}
const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

describe('shipped data', () => {
  it.each(readdirSync(join(RUNBOOKS, 'baselines')))('the baseline %s is valid and names every check', (name) => {
    const loaded = parseBaseline(file(`baselines/${name}`), name);
    expect(`${loaded.id}.yaml`).toBe(name);
    expect(Object.keys(loaded.checks).sort()).toEqual(CHECKS.map((check) => check.id).sort());
    expect(loaded.sha256).toBe(
      createHash('sha256')
        .update(file(`baselines/${name}`))
        .digest('hex'),
    );
  });

  it.each(readdirSync(join(RUNBOOKS, 'controls')))(
    'the control map %s is valid and names only checks that exist',
    (name) => {
      const map = parseControlMap(file(`controls/${name}`), name);
      expect(`${map.id}.yaml`).toBe(name);
      const known = CHECKS.map((check) => check.id);
      for (const line of map.lines) for (const { check } of line.supported_by) expect(known).toContain(check);
    },
  );

  it('the rule in force and the proposed one are told apart', () => {
    expect(parseControlMap(file('controls/hipaa-2013.yaml'), 'x').status).toBe('in_force');
    expect(parseControlMap(file('controls/hipaa-nprm-2025.yaml'), 'x').status).toBe('proposed');
  });

  it('citations of 164.308 are marked administrative and those of 164.312 technical', () => {
    for (const name of readdirSync(join(RUNBOOKS, 'controls'))) {
      for (const line of parseControlMap(file(`controls/${name}`), name).lines) {
        expect(line.safeguard).toBe(line.cite.startsWith('164.308') ? 'administrative' : 'technical');
      }
    }
  });

  it('no control map and no page on checks says that a check satisfies a requirement', () => {
    const texts = readdirSync(join(RUNBOOKS, 'controls')).map((name) => file(`controls/${name}`).toString());
    texts.push(...CHECKS.map((check) => `${check.title} ${check.judge.toString()}`));
    for (const text of texts) expect(text.toLowerCase()).not.toMatch(/satisf|compliant with|certif(?:y|ie|ication)/);
  });
});

describe('mistakes in a baseline', () => {
  it.each<[string, string, string]>([
    ['an unknown key', '    ntp_required: true', '    ntp_requierd: true\n    ntp_required: true'],
    ['a missing threshold', '    skew_ms: 5000\n', ''],
    ['a percentage over 100', 'used_percent: 80', 'used_percent: 800'],
    ['a fraction', 'used_percent: 80', 'used_percent: 80.5'],
    ['a number as text', 'used_percent: 80', 'used_percent: "80"'],
    ['an unknown way to expect', 'expected: declared', 'expected: maybe'],
    ['an unknown check', '  clock:', '  clok:'],
    ['a port out of range', 'port: 68', 'port: 68000'],
    ['a digest that is none', 'sha256: none', 'sha256: abc'],
    ['another schema version', 'baseline/v1', 'baseline/v2'],
  ])('%s is refused', (_what, from, to) => {
    refused((text) => text.replace(from, to));
  });

  it('every mistake is named with its line', () => {
    const error = refused((text) =>
      text
        .replace('used_percent: 80', 'used_percent: 0')
        .replace('skew_ms: 5000', 'skew_ms: soon')
        .replace('port: 68', 'prot: 68'),
    );
    expect(error.details.mistakes).toBeGreaterThanOrEqual(3);
    const line = (part: string): number => lineOf(appliance, part);
    for (const part of ['used_percent: 80', 'skew_ms: 5000', 'port: 68'])
      expect(error.message).toContain(`line ${line(part)}:`);
    expect(error.place).toMatch(/^b\.yaml:\d+$/);
    expect(error.message).toContain('checks.disk.state.used_percent');
  });

  it('expecting nothing needs a reason, and a reason allows no thresholds', () => {
    refused((text) => text.replace('expected: declared', 'expected: none'));
    const none =
      'schema: compliance-agent/baseline/v1\nid: x\nversion: 1\ntitle: x\nchecks:\n  clock: { expected: none }\n';
    expectCode(() => parseBaseline(Buffer.from(none), 'b.yaml'), 'baseline_invalid');
  });

  it.each([
    ['a duplicate key', 'id: a\nid: b\n'],
    ['an alias', 'id: &x a\ntitle: *x\n'],
    ['a bomb of aliases', 'a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n'],
    ['a tag of its own', 'id: !!js/function a\n'],
    ['two documents', 'id: a\n---\nid: b\n'],
    ['broken syntax', 'id: [a\n'],
    ['no mapping', '- a\n'],
    ['nothing', ''],
    ['a prototype', '__proto__: { x: 1 }\n'],
  ])('YAML with %s is refused', (_what, text) => {
    expectCode(() => parseBaseline(Buffer.from(text), 'b.yaml'), 'baseline_invalid');
  });

  it('an alias in an otherwise valid baseline is refused', () => {
    const anchored = appliance.replace('id: appliance', 'id: &name appliance');
    expect(parseBaseline(Buffer.from(anchored), 'b.yaml').id).toBe('appliance');
    refused(() => anchored.replace(/^title: .*$/m, 'title: *name'));
  });

  it('bytes that are not UTF-8, and a file that is too large, are refused', () => {
    expectCode(() => parseBaseline(Buffer.from([0x69, 0xff]), 'b.yaml'), 'baseline_invalid');
    expectCode(() => parseBaseline(Buffer.alloc(300_000, 0x20), 'b.yaml'), 'baseline_invalid');
  });
});

describe('mistakes in a control map', () => {
  const map = file('controls/hipaa-2013.yaml').toString();
  it.each<[string, string, string]>([
    ['a citation that is none', '164.312(b)', 'section 5'],
    ['a citation twice', '164.312(b)', '164.312(a)(1)'],
    ['another kind of safeguard', 'safeguard: technical', 'safeguard: magical'],
    ['another role', 'role: primary', 'role: satisfies'],
    ['another status', 'status: in_force', 'status: passed'],
    [
      'a line that nothing supports',
      'supported_by:\n      - { check: firewall, role: primary }\n',
      'supported_by: []\n',
    ],
  ])('%s is refused', (_what, from, to) => {
    const at = map.lastIndexOf(from);
    expect(at).toBeGreaterThan(0);
    const text = map.slice(0, at) + to + map.slice(at + from.length);
    expectCode(() => parseControlMap(Buffer.from(text), 'm.yaml'), 'control_map_invalid');
  });
});
