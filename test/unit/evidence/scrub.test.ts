import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { FACT_RULES } from '../../../agent/evidence/fact-rules.ts';
import { KIND_RULES } from '../../../agent/evidence/scrub-rules.ts';
import { POLICY, POLICY_DIGEST, policyDigest, scrub } from '../../../agent/evidence/scrub.ts';
import { CODES } from '../../../agent/errors/codes.ts';
import { jcsDigest } from '../../../agent/wire/jcs.ts';
import { ENTRY_KINDS, predicateSchema, type EntryBody, type EntryKind } from '../../../agent/wire/schemas/entry.ts';
import { bindingLine, finding, withLog } from '../../support/evidence-fixtures.ts';
import { BODIES } from '../../support/entry-bodies.ts';

/** Texts that must never come out, as a target or a careless message could hand them in. */
const CANARIES = [
  '123-45-6789',
  '987 65 4321',
  'SSN 219-09-9999',
  'MRN 00123456',
  'MRN:7654321',
  'mrn-00123456',
  'Maria Gonzalez',
  'GONZALEZ^MARIA^L',
  'Smith, John Q.',
  'José Müller',
  'maria.gonzalez@clinic.example',
  'DOMAIN\\mgonzalez',
  'C:\\Users\\mgonzalez\\Desktop\\lab results.docx',
  '\\\\fileserver\\patients\\gonzalez.pdf',
  '/home/mgonzalez/results.pdf',
  '/srv/patients/gonzalez_maria/chart.pdf',
  'AKIAIOSFODNN7EXAMPLE',
  'ASIAIOSFODNN7EXAMPLE',
  'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  '-----BEGIN PRIVATE KEY-----',
  'patient_list_2026.xlsx',
];

/** Parts of a canary that would give it away even alone. */
const TELLING =
  /gonzalez|maria|smith|müller|josé|\d{3}[- ]\d{2}[- ]\d{4}|00123456|7654321|AKIA|ASIA|wJalr|PRIVATE KEY|\.docx|\.pdf|\.xlsx|patients?[/_\\]/i;

type Path = readonly (string | number)[];

/** Every place of a body that holds text, however deep. */
function textPlaces(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => textPlaces(member, [...path, key]));
}

function withText(value: unknown, [key, ...rest]: Path, text: string): unknown {
  if (key === undefined) return text;
  const copy: unknown = structuredClone(value);
  const holder = copy as Record<string | number, unknown>;
  holder[key] = withText(holder[key], rest, text);
  return copy;
}

/** Every place of a rule set that holds a value. */
function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) => leavesOf(member, [...path, key]));
}

function withChanged(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined)
    return typeof value === 'string' ? `${value}x` : typeof value === 'number' ? value + 1 : !value;
  const members = Array.isArray(value) ? ([...value] as unknown[]) : { ...(value as object) };
  const holder = members as Record<string | number, unknown>;
  holder[key] = withChanged(holder[key], rest);
  return members;
}

const bodies = ENTRY_KINDS.flatMap((kind) => BODIES[kind].map((body, i) => ({ kind, name: `${kind} ${i}`, body })));

describe('scrub', () => {
  it('keeps in the states before and after an action the words that checks find, and no other text', () => {
    const state = { snapshot: 'fresh', running: 'declared', canary: 'seen', logged_on: 'gonzalez', service: 'Maria' };
    const { body, counts } = scrub('action', { ...BODIES.action[0]!, pre_state: state, post_state: state });
    const kept = { snapshot: 'fresh', running: 'declared', canary: 'seen' };
    expect([body.pre_state, body.post_state]).toEqual([kept, kept]);
    expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(4);
  });

  it.each(bodies)('leaves a proper body of kind $name as it is', ({ kind, body }) => {
    expect(scrub(kind, body as EntryBody<typeof kind>)).toEqual({ body, counts: {} });
  });

  it('has a rule for every field of every kind in the schema, and for no other', () => {
    for (const option of predicateSchema.options) {
      const kind = option.entries.kind.literal;
      const own = Object.keys(option.entries).filter((key) => !COMMON.has(key));
      expect(Object.keys(KIND_RULES[kind]).toSorted(), kind).toEqual(own.toSorted());
    }
  });

  it.each(bodies)(
    'lets no canary out of any text place of kind $name, alone or inside other text',
    ({ kind, body }) => {
      for (const path of textPlaces(body)) {
        for (const canary of CANARIES) {
          for (const planted of [canary, `Disk is full, see ${canary} for more.`, `x ${canary}`]) {
            const { body: kept } = scrub(kind, withText(body, path, planted) as EntryBody<typeof kind>);
            expect(JSON.stringify(kept), `${path.join('.')} ← ${planted}`).not.toMatch(TELLING);
          }
        }
      }
    },
  );

  it('lets no canary out as the name of a field, a fact or a count', () => {
    for (const canary of CANARIES) {
      const facts = { [canary]: 1, nested: { [canary]: true } };
      const kept = [
        scrub('finding', {
          ...body('finding'),
          check: { id: 'unheard_of', version: 1 },
          facts,
        }),
        scrub('finding', { ...body('finding'), facts }),
        scrub('alert', { ...body('alert'), details: facts }),
        scrub('gap', { ...body('gap'), dropped: { [canary]: 1 } }),
        scrub('alert', { ...body('alert'), [canary]: 1 }),
      ];
      expect(JSON.stringify(kept)).not.toMatch(/gonzalez|smith|AKIA|patients/i);
    }
  });

  it('says how many values each rule took out', () => {
    const facts = { state_used_percent: 91, owner: 'mgonzalez', root_fill: 'Maria', contact: 'a@b.example' };
    const { counts } = scrub('finding', {
      ...body('finding'),
      sentence: 'Ask maria@clinic.example or Maria Gonzalez.',
      facts,
    });
    expect(counts).toEqual({ email: 1, unlisted_word: 3, unlisted_field: 2 });
  });

  it('replaces the digest of facts from which something was taken by the digest of what was kept', () => {
    const facts = { state_used_percent: 91, owner: 'mgonzalez' };
    const { body: kept } = scrub('finding', { ...body('finding'), facts, facts_digest: jcsDigest(facts) });
    expect(kept.facts).toEqual({ state_used_percent: 91 });
    expect(kept.facts_digest).toBe(jcsDigest({ state_used_percent: 91 }));
  });

  it.each([
    [
      'NTP offsets and large counters',
      'The clock is -0.000012345 s off; 5551234567 ns, +15551234567 packets, 555-1234 no.',
    ],
    ['versions', 'Version 1.2.3-rc.1 of 26.05.20260914 runs on 6.12.48-amd64, TLS 1.3, v2.'],
    ['digests and identifiers', `The digest is ${'0a1b'.repeat(16)}, the order 019e0000-0000-7000-8000-00000000000a.`],
    ['times and shares', 'Read at 2026-09-14T10:11:12Z, 93 % full (limit 90 %), 12/40 done, 3-5 left.'],
    [
      'systemd units, ports and the system’s own folders',
      'nftables.service failed; tcp-any-22 and udp/68 listen; /var/lib is read-only.',
    ],
    [
      'names of our own things',
      'RB-WIN-AV-001 supports 164.308(a)(5)(ii)(B); CVE-2026-12345 is not patched; CAP_NET_ADMIN is missing.',
    ],
    ['dates that look like numbers of people', 'It expires 2026-09-14 and 2026-12-01.'],
  ])('keeps %s in a sentence', (_what, sentence) => {
    const { body: kept, counts } = scrub('trust', { ...body('trust'), sentence });
    expect(kept.sentence.replace('[removed]', '555-1234')).toBe(sentence);
    expect(Object.values(counts).reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(1);
  });

  it('keeps numbers of any size, digests, versions and closed words in open fields', () => {
    const details = {
      offset_ns: -5_551_234_567,
      ssn_like_number: 123_456_789,
      sha: 'ab'.repeat(32),
      version: '6.12.48',
      state: 'deferred',
      cause: 'store_full',
      nested: { list: [1, true, null, 'pass'] },
    };
    expect(scrub('alert', { ...body('alert'), details }).body.details).toEqual(details);
  });

  it('keeps the id of a target in the details of an alert, where it is one, and nowhere deeper', () => {
    const kept = (details: EntryBody<'alert'>['details']) => scrub('alert', { ...body('alert'), details }).body.details;
    expect(kept({ target: 'srv-1', ends_at: 1_780_315_200 })).toEqual({ target: 'srv-1', ends_at: 1_780_315_200 });
    expect(kept({ target: 'CN=srv-1.clinic.example, O=Clinic' })).toEqual({ target: 'removed' });
    expect(kept({ target: '10.0.0.7' })).toEqual({ target: 'removed' });
    expect(kept({ issuer: 'srv-1', nested: { target: 'srv-1' } })).toEqual({ nested: {} });
  });

  it('has a rule for every fact that a check declares, and keeps every value of the declared type', () => {
    for (const check of CHECKS) {
      const rules = FACT_RULES[check.id];
      expect(Object.keys(rules ?? {}), check.id).toEqual(expect.arrayContaining(Object.keys(check.factKeys)));
      for (const probe of check.probes) expect(rules, check.id).toHaveProperty(`unreadable_${probe}`);
      for (const [key, { type }] of Object.entries(check.factKeys)) {
        const sample = {
          integer: 7,
          boolean: false,
          digest: 'ab'.repeat(32),
          names: ['tcp-any-22', 'and-3-more'],
          name: null,
        }[type];
        const { body: kept, counts } = scrub('finding', {
          ...body('finding'),
          check: { id: check.id, version: 1 },
          facts: { [key]: sample },
        });
        expect([kept.facts, counts], `${check.id}.${key}`).toEqual([{ [key]: sample }, {}]);
      }
    }
  });

  it('leaves every sentence of the error codes as it is, so that an alert can be read', () => {
    for (const [code, { when, remedy }] of Object.entries(CODES)) {
      const { counts } = scrub('alert', { ...body('alert'), code, sentence: when, remedy });
      expect(counts, `${code}: ${when} / ${remedy}`).toEqual({});
    }
  });

  it('never throws, never lets an unlisted key through and is idempotent, whatever it is given', () => {
    const junk = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...ENTRY_KINDS), fc.dictionary(fc.string(), junk), junk, (kind, extra, facts) => {
        const given = {
          ...extra,
          ...BODIES[kind][0],
          facts,
          details: facts,
          result: facts,
          sentence: JSON.stringify(facts),
        };
        const once = scrub(kind, given as unknown as EntryBody<typeof kind>);
        expect(Object.keys(KIND_RULES[kind])).toEqual(expect.arrayContaining(Object.keys(once.body)));
        expect(scrub(kind, once.body).body).toEqual(once.body);
      }),
      { numRuns: 300 },
    );
  });

  it('names its rules by a digest that changes with each single one of them', () => {
    expect(POLICY_DIGEST).toMatch(/^[0-9a-f]{64}$/);
    expect(policyDigest(POLICY)).toBe(POLICY_DIGEST);
    // What is applied is what is digested, and not a copy that could fall behind.
    expect(POLICY.kinds).toBe(KIND_RULES);
    expect(POLICY.facts).toBe(FACT_RULES);
    const places = leavesOf(POLICY);
    expect(places.length).toBeGreaterThan(1_000);
    const digests = places.map((path) => policyDigest(withChanged(POLICY, path) as typeof POLICY));
    expect(new Set([POLICY_DIGEST, ...digests]).size).toBe(places.length + 1);
  });

  it('keeps a binding only where it is one', () => {
    withLog(({ log }) => expect(log.size()).toBe(1));
    const embedded = JSON.parse(bindingLine()) as EntryBody<'epoch'>['binding'] & object;
    const kept = scrub('epoch', { binding: embedded, status: 'confirmed' });
    expect(kept).toEqual({ body: { binding: embedded, status: 'confirmed' }, counts: {} });
    const other = { ...embedded, payload: Buffer.from('{"name":"Maria Gonzalez"}').toString('base64') };
    expect(scrub('epoch', { binding: other, status: 'confirmed' })).toEqual({
      body: { status: 'confirmed' },
      counts: { not_a_document: 1 },
    });
  });
});

/** Fields that every kind has. */
const COMMON = new Set([
  ...['schema', 'origin', 'seq', 'prev', 'bundle_id', 'partner_id', 'customer_id', 'site_id', 'appliance_id', 'kind'],
  ...['deployment_mode', 'reseller_id', 'agent_version', 'nixos_revision', 'derivation_digest', 'observed_from'],
  ...['observed_to', 'clock', 'root_version', 'policy_version', 'ruleset_digest', 'single_approver', 'redaction'],
]);

function body<K extends EntryKind>(kind: K): EntryBody<K> {
  return BODIES[kind][0] as EntryBody<K>;
}

it('the finding of the fixtures is one that needs no scrubbing', () => {
  const { observed_from: _from, observed_to: _to, ...own } = finding({ facts: { state_used_percent: 61 } });
  expect(scrub('finding', { ...own, previous_result: null }).counts).toEqual({});
});
