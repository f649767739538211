import fc from 'fast-check';
import decodeQr from 'qr/decode.js';
import { describe, expect, it } from 'vitest';
import { consoleScreen, consoleWords, wrapped, type ConsoleView } from '../../../agent/cli/console-screen.ts';
import type { AgentStatus } from '../../../agent/system/status-file.ts';
import { agentStatus } from '../../support/cli-state.ts';
import { NOW } from '../../support/trust-fixtures.ts';

const PC = { columns: 80, rows: 25 };
const CODE = 'ABCD-EFGH-JKLM-NPQR-STUV-WXYZ-2345';
const claim = {
  code: CODE,
  alias: 'WXYZ-2345',
  url: `https://portal.partner-name.example/claim#${CODE.replaceAll('-', '')}`,
  until: NOW + 600,
};
const view = (partial: Partial<ConsoleView> = {}, status: Partial<AgentStatus> = {}): ConsoleView => ({
  version: '0.1.0',
  now: NOW,
  liveness: 'running',
  status: agentStatus({ findings: [], ...status }),
  claim: null,
  isReset: false,
  stick: null,
  ...partial,
});
const reason = { code: 'dns_failed', sentence: 'central.example does not resolve.', remedy: 'check the DNS server' };
const textOf = (given: ConsoleView, size = PC): string =>
  consoleScreen(given, size)
    .left.map(({ text }) => text)
    .join('\n');

/** Two pixels above each other for a character: the upper half, the lower half, both or none are light. */
function pixelsOf(drawn: readonly string[]): { width: number; height: number; data: Uint8Array } {
  const scale = 4;
  const light = drawn.flatMap((line) => {
    const chars = line.split('');
    return [chars.map((c) => c === '█' || c === '▀'), chars.map((c) => c === '█' || c === '▄')];
  });
  const [width, height] = [(light[0]?.length ?? 0) * scale, light.length * scale];
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = light[Math.floor(y / scale)]?.[Math.floor(x / scale)] === true ? 255 : 0;
      data.set([value, value, value, 255], (y * width + x) * 4);
    }
  }
  return { width, height, data };
}

describe('the words of the console', () => {
  it('let nobody leave before Central Command holds a report, and then say so', () => {
    expect(consoleWords(view({}, { stored_size: 9 }))).toMatchObject({ mayLeave: true, tone: 'good' });
    const notYet: ConsoleView[] = [
      view({}, { stored_size: 0 }),
      view({}, { stored_size: null }),
      view({}, { blocking_reason: reason }),
      view({}, { state: 'pending' }),
      view({}, { state: 'unprovisioned' }),
      view({}, { state: 'stopping' }),
      view({ liveness: 'gone' }),
      view({ liveness: 'silent' }),
      view({ liveness: 'stopped' }),
      view({ liveness: 'never', status: null }),
      view({ isReset: true }),
    ];
    for (const one of notYet) {
      expect(consoleWords(one).mayLeave).toBe(false);
      expect(textOf(one)).not.toContain('LEAVE');
    }
  });

  it('say what somebody without a shell can do where the agent does not run', () => {
    for (const liveness of ['never', 'gone', 'silent', 'stopped'] as const) {
      const [first] = consoleWords(view({ liveness })).more;
      expect(first).toMatch(/switch the machine off and on/);
    }
  });

  it('name the mistakes of a stick that was just refused, one line each, until the appliance is enrolled', () => {
    const stick = ['clinic.yaml:2: a', 'root.json: b'];
    const missing = { code: 'provision_missing', sentence: 'Not enrolled.', remedy: 'plug in the stick' };
    const text = textOf(view({ stick }, { state: 'unprovisioned', blocking_reason: missing }));
    expect(text).toContain('The stick was not taken.\nclinic.yaml:2: a\nroot.json: b\nNot enrolled.');
    expect(textOf(view({ stick }, { stored_size: 9 }))).not.toContain('stick');
  });

  it('name what is in the way and what to do about it', () => {
    const text = textOf(view({}, { blocking_reason: reason }));
    expect(text).toContain('central.example does not resolve. (dns_failed)');
    expect(text).toContain('What to do: check the DNS server.');
  });
});

describe('the screen of the console', () => {
  it('shows a code that a phone reads, beside what to type, on 80 columns and 25 rows', () => {
    const { left, right, leftColumns } = consoleScreen(view({ claim }, { state: 'pending', appliance_id: null }), PC);
    expect(decodeQr(pixelsOf(right))).toBe(claim.url);
    expect(right.length).toBeLessThan(PC.rows);
    expect(leftColumns + 2 + (right[0] ?? '').length).toBeLessThanOrEqual(PC.columns);
    const text = left.map((line) => line.text).join('\n');
    for (const part of ['Waiting to be claimed.', claim.alias, 'ABCD EFGH 2345 6789']) expect(text).toContain(part);
  });

  it('leaves a code out where it does not fit whole, and names what to type all the same', () => {
    for (const size of [
      { columns: 60, rows: 25 },
      { columns: 80, rows: 15 },
    ]) {
      const { left, right } = consoleScreen(view({ claim }, { state: 'pending' }), size);
      expect(right).toEqual([]);
      expect(left.some(({ text }) => text.includes(claim.alias))).toBe(true);
    }
  });

  it('names what is wrong before what is not known, and counts the rest', () => {
    const finding = (check: string, result: string) => ({
      ...{ check, target: 'appliance', result, sentence: `${check} said so.`, read_at: NOW },
    });
    const findings = [finding('clock', 'pass'), finding('disk', 'unknown'), finding('self', 'fail')];
    const lines = consoleScreen(view({}, { findings }), PC).left.map(({ text }) => text);
    expect(lines.slice(-3)).toEqual(['fail    self: self said so.', 'unknown disk: disk said so.', 'checks: 1 pass']);
    const many = Array.from({ length: 40 }, (_, at) => finding(`check${at}`, 'fail'));
    const short = consoleScreen(view({}, { findings: many }), PC).left;
    expect(short.length).toBeLessThanOrEqual(PC.rows);
    expect(short.at(-1)?.text).toMatch(/^checks: \d+ more not in order$/);
  });

  it('whatever stands in a status: fits, and nothing in it acts on the terminal', () => {
    const text = fc.string({ unit: 'binary', maxLength: 400 });
    const states = fc.constantFrom<AgentStatus['state']>(
      'starting',
      'unprovisioned',
      'pending',
      'enrolled',
      'stopping',
    );
    fc.assert(
      fc.property(
        fc.record({
          state: states,
          appliance_id: fc.option(text),
          site_id: fc.option(text),
          fingerprint: fc.option(text),
          stored_size: fc.option(fc.nat()),
          blocking_reason: fc.option(fc.record({ code: text, sentence: text, remedy: text })),
          findings: fc.array(
            fc.record({
              check: text,
              target: text,
              result: fc.constantFrom('fail', 'unknown', 'pass'),
              sentence: text,
            }),
          ),
        }),
        fc.constantFrom<ConsoleView['liveness']>('running', 'gone', 'silent'),
        fc.boolean(),
        fc.record({ columns: fc.integer({ min: 40, max: 240 }), rows: fc.integer({ min: 12, max: 80 }) }),
        (partial, liveness, isClaimed, size) => {
          const findings = partial.findings.map((one) => ({ ...one, read_at: NOW }));
          const given = view({ liveness, claim: isClaimed ? claim : null }, { ...partial, findings });
          const { left, right, leftColumns } = consoleScreen(given, size);
          expect(Math.max(left.length, right.length)).toBeLessThanOrEqual(size.rows);
          // oxlint-disable-next-line no-control-regex
          const acts = /[\u0000-\u001f\u007f-\u009f]/;
          for (const line of left) {
            expect(line.text.length).toBeLessThanOrEqual(leftColumns);
            expect(line.text).not.toMatch(acts);
          }
        },
      ),
    );
  });

  it('breaks lines at blanks, cuts what is longer than a line, and loses nothing', () => {
    expect(wrapped('one two three', 7)).toEqual(['one two', 'three']);
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.integer({ min: 1, max: 90 }), (text, width) => {
        const lines = wrapped(text, width);
        expect(lines.every((line) => line.length > 0 && line.length <= width)).toBe(true);
        expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      }),
    );
  });
});
