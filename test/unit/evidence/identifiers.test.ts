// A thousand identifiers of people through every way on which text could come into evidence; none may come out again.
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeAll } from '../../../agent/checks/judge-all.ts';
import { CHECKS } from '../../../agent/checks/registry.ts';
import { watchOf } from '../../../agent/checks/watch.ts';
import { loadChecks } from '../../../agent/daemon/load-checks.ts';
import { AgentError } from '../../../agent/errors/agent-error.ts';
import { CODES, type ErrorCode } from '../../../agent/errors/codes.ts';
import { createRecorder } from '../../../agent/evidence/recorder.ts';
import { scrub } from '../../../agent/evidence/scrub.ts';
import { PROBE_NAMES } from '../../../agent/facts/probes.ts';
import { readFacts } from '../../../agent/facts/read-facts.ts';
import { carryOutOrders } from '../../../agent/orders/carry-out-orders.ts';
import { receiveOrders } from '../../../agent/orders/receive-orders.ts';
import { parseEnvelope } from '../../../agent/wire/dsse.ts';
import { ENTRY_KINDS, MAX_ENTRY_BYTES, type EntryBody } from '../../../agent/wire/schemas/entry.ts';
import { acceptanceContext } from '../../support/acceptance-fixtures.ts';
import { chosenSeed } from '../../support/acknowledgements.ts';
import { BODIES } from '../../support/entry-bodies.ts';
import { linesOf, trust, withLog, type OpenLog } from '../../support/evidence-fixtures.ts';
import { fakeExec, type FakeProgram } from '../../support/fakes/fake-exec.ts';
import { memoryLog } from '../../support/fakes/memory-log.ts';
import { fixture, probeContext, temporaryTree } from '../../support/fixture-facts.ts';
import { identifiers, leaksIn, type Identifier } from '../../support/identifiers.ts';
import { NOW, uuidOf } from '../../support/trust-fixtures.ts';

const REPO = join(import.meta.dirname, '../../..');
const ALL = identifiers(chosenSeed('IDENTIFIER_SEED'));
/** Those that can be told from our own words and numbers even inside a sentence of ours. */
const TELLABLE = ALL.filter((identifier) => !identifier.plain);
/** One of each form. */
const ONE_OF_EACH = ALL.filter((_, i) => i % 16 === 0);

/** Everything that an open log holds, as whoever reads it sees it. */
const evidenceText = ({ store }: OpenLog): string =>
  linesOf(store)
    .map((line) => parseEnvelope(line, { maxBytes: MAX_ENTRY_BYTES }).payload.toString('utf8'))
    .join('\n');

type Path = readonly (string | number)[];

function textPlaces(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => textPlaces(member, [...path, key]));
}

function withText(value: unknown, [key, ...rest]: Path, text: string): unknown {
  if (key === undefined) return text;
  const holder = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >;
  holder[key] = withText(holder[key], rest, text);
  return holder;
}

/** Signed as it stands: what no schema would let through. */
const signedJson = (order: object): string => trust.signUnchecked('order', order);

const inGroups = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));

it('the identifiers are a thousand and more, of all eighteen kinds, and would be found', () => {
  expect(ALL.length).toBeGreaterThan(1_000);
  expect(new Set(ALL.map(({ kind }) => kind)).size).toBe(18);
  for (const identifier of ALL)
    expect(leaksIn(`a ${identifier.text} b`, [identifier]), identifier.text).not.toEqual([]);
});

describe('identifiers planted straight into an entry', () => {
  const places = ENTRY_KINDS.flatMap((kind) =>
    BODIES[kind].flatMap((body) => textPlaces(body).map((path) => ({ kind, body, path }))),
  );

  it('are taken out of every text place of every kind, alone and inside a sentence', () => {
    TELLABLE.forEach((identifier, n) => {
      const { text } = identifier;
      const planted = n % 2 === 0 ? text : `Disk is full, see ${text} for more.`;
      for (const { kind, body, path } of places) {
        const kept = JSON.stringify(scrub(kind, withText(body, path, planted) as EntryBody<typeof kind>));
        expect(leaksIn(kept, [identifier]), `${kind} ${path.join('.')} ← ${planted}`).toEqual([]);
      }
    });
  });

  it('are taken out as the name of a field, whatever they look like', () => {
    for (const group of inGroups(
      ALL.filter(({ text }) => !/^[a-z_]+$/.test(text)),
      50,
    )) {
      const named = Object.fromEntries(group.map(({ text }) => [text, 1]));
      const kept = JSON.stringify([
        scrub('alert', { ...BODIES.alert[0]!, details: named }),
        scrub('finding', { ...BODIES.finding[0]!, facts: named }),
        scrub('gap', { ...BODIES.gap[0]!, dropped: named }),
        scrub('order', { ...BODIES.order[0]!, ...named }),
      ]);
      expect(leaksIn(kept, group)).toEqual([]);
    }
  });

  it('do not cost a number, a digest or a GUID anything, wherever these stand', () => {
    const number = fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
    fc.assert(
      fc.property(number, digest, fc.uuid(), fc.nat(), (n, hash, uuid, count) => {
        const details = { n, list: [count, n], nested: { hash, uuid } };
        const sentence = `${count} of ${n} bytes, digest ${hash}, order ${uuid}, ${count} %.`;
        expect(scrub('alert', { ...BODIES.alert[0]!, details, sentence })).toMatchObject({
          body: { details, sentence },
          counts: {},
        });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('identifiers in what probes read', () => {
  const { controls } = loadChecks(join(REPO, 'runbooks'), null);
  const baselines = ['appliance', 'workstation', 'nixos-hipaa-v1'].map(
    (name) => loadChecks(join(REPO, 'runbooks'), join(REPO, `runbooks/baselines/${name}.yaml`)).baseline,
  );
  const TOOLS = ['nft', 'chronyc', 'timedatectl', 'restic', 'journalctl', 'systemctl', 'apt-get'];

  /** All tools say the same; every probe reads, every check judges, and what came of it is recorded in a real log. */
  async function findingsOf(says: (tool: string) => FakeProgram, mounts: string): Promise<string> {
    using tree = temporaryTree({
      'proc/self/status': fixture('proc/status-node'),
      'proc/self/mountinfo': mounts,
      'proc/net/tcp': fixture('proc/net/tcp'),
      'proc/net/udp': fixture('proc/net/udp'),
      'root/var/lib/dpkg/status': '',
    });
    return withLog(async (open) => {
      const recorder = createRecorder({ store: open.store, log: open.log, clock: open.clock });
      for (const baseline of baselines) {
        const exec = fakeExec(Object.fromEntries(TOOLS.map((tool) => [tool, () => says(tool)])));
        const facts = await readFacts(
          PROBE_NAMES,
          probeContext({
            exec,
            procDir: join(tree.dir, 'proc'),
            rootDir: join(tree.dir, 'root'),
            clock: open.clock,
            watch: watchOf(baseline),
            databaseCheck: ALL[0]!.text,
          }),
        );
        const findings = judgeAll({
          checks: CHECKS,
          facts,
          baseline,
          controls,
          waivers: [],
          now: NOW,
          target: { id: 'appliance', role: 'appliance', os_build: null },
          baselineSigned: true,
        });
        recorder.recordFindings(findings);
      }
      return evidenceText(open);
    });
  }

  const everything = ALL.map(({ text }) => text);
  const plainMounts = fixture('proc/mountinfo');
  const mountsNamed = (text: string): string => {
    const octal = text.replaceAll(/[ \t\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
    return `22 1 254:1 /${octal} / rw,${octal} - ${octal} /dev/${octal} rw\n`;
  };

  it('never reach an entry from tools that print them, to stdout or stderr, and succeed or fail', async () => {
    const text = everything.join('\n');
    for (const program of [{ stdout: text }, { stderr: text, code: 1 }, { stdout: text, stderr: text, code: 12 }]) {
      for (const first of inGroups(everything, 200)) {
        const said = program.code === undefined ? program : { ...program, stderr: `${first.join(' ')}\n${text}` };
        expect(leaksIn(await findingsOf(() => said, plainMounts), ALL)).toEqual([]);
      }
    }
  });

  it('never reach an entry from well-formed output that holds them wherever it holds text', async () => {
    const nft = JSON.parse(fixture('nft/egress-fresh.json')) as { nftables: object[] };
    const tables = everything.flatMap((name) => [
      { table: { family: 'inet', name, handle: 1, comment: name } },
      {
        chain: {
          family: 'inet',
          table: name,
          name,
          handle: 2,
          type: 'filter',
          hook: 'input',
          prio: 0,
          policy: 'drop',
          comment: name,
        },
      },
      {
        rule: { family: 'inet', table: name, chain: name, handle: 3, comment: name, expr: [{ log: { prefix: name } }] },
      },
    ]);
    const output: Readonly<Record<string, string>> = {
      nft: JSON.stringify({ nftables: [...nft.nftables, ...tables] }),
      restic: JSON.stringify(
        everything.map((name, n) => ({
          time: '2026-05-31T10:00:00.000000000Z',
          tree: 'ab'.repeat(32),
          paths: [`/srv/${name}`],
          hostname: name,
          username: name,
          tags: [name],
          id: n.toString(16).padStart(64, '0'),
          short_id: n.toString(16).padStart(8, '0'),
        })),
      ),
      journalctl: everything
        .map((name) => JSON.stringify({ MESSAGE: name, MESSAGE_ID: name, N_DROPPED: name, _HOSTNAME: name }))
        .join('\n'),
      'apt-get': everything
        .map((name) => `Inst ${name} [${name}] (${name} Debian-Security:13/stable-security [amd64])`)
        .join('\n'),
      timedatectl: everything
        .map((name) => `Timezone=${name}\nNTPMessage=${name}`)
        .join('\n')
        .concat('\nNTPSynchronized=yes\n'),
      chronyc: `${everything[0]},${everything[1]},1,1780271999.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,64.0,Normal\n`,
      systemctl: '',
    };
    expect(leaksIn(await findingsOf((tool) => ({ stdout: output[tool] ?? '' }), plainMounts), ALL)).toEqual([]);
  });

  it('never reach an entry as the state of a unit, the reference of a clock, a file system or a mount', async () => {
    for (const identifier of ONE_OF_EACH) {
      const { text } = identifier;
      const unit = `LoadState=${text}\nActiveState=${text}\nSubState=${text}\nResult=${text}\nMainPID=0\nExecMainExitTimestamp=${text}\n`;
      const says = (tool: string): FakeProgram =>
        tool === 'systemctl'
          ? { stdout: unit }
          : tool === 'chronyc'
            ? { stdout: `${text},${text},${text},1780271999.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,64.0,${text}\n` }
            : { code: 1, stderr: `${text}: permission denied` };
      expect(leaksIn(await findingsOf(says, mountsNamed(text)), [identifier]), text).toEqual([]);
    }
  });
});

describe('identifiers in errors, orders and alerts', () => {
  const acceptance = (open: OpenLog) => acceptanceContext(trust, { floor: open.store.orders.floor(1), nowT: NOW });

  it('never reach an entry or the log from an order whose handler fails with them', () =>
    withLog(async (open) => {
      const log = memoryLog();
      const groups = inGroups(ALL, 20);
      for (const [n, group] of groups.entries()) {
        const text = group.map((identifier) => identifier.text).join(', ');
        const lines = [trust.sign('order', trust.order({ order_id: uuidOf(n), seq: n + 1 }))];
        const deps = { store: open.store, evidence: open.log, log, acceptance: () => acceptance(open), now: () => NOW };
        expect(receiveOrders(lines, deps).accepted).toBe(1);
        const error =
          n % 2 === 0
            ? new AgentError('file_denied', `${text} cannot be read`, { place: text, details: { [text]: text } })
            : Object.assign(new Error(`EACCES: permission denied, open '${text}'`), { code: 'EACCES', path: text });
        const handler = {
          kind: 'run_check' as const,
          does: 'work' as const,
          deadlineMs: 60_000,
          act: () => Promise.reject(error),
          verify: () => ({ [text]: text, seen: text }),
        };
        const carry = {
          ...deps,
          clock: open.clock,
          handlers: new Map([['run_check' as const, handler]]),
          instance: 'a',
        };
        await carryOutOrders(carry, new AbortController().signal);
      }
      const text = evidenceText(open);
      expect(text.match(/"state":"result"/g)).toHaveLength(groups.length);
      expect(leaksIn(text + JSON.stringify(log.records), ALL)).toEqual([]);
    }));

  it('never reach an entry or the log from an order that is refused for holding them', () =>
    withLog(async (open) => {
      const log = memoryLog();
      let seq = 0;
      let refused = 0;
      const forms: ((identifier: Identifier) => string)[] = [
        ({ text }) => text,
        ({ text }) =>
          JSON.stringify({ payload: text, payloadType: text, signatures: [{ keyid: text, sig: text }], [text]: text }),
        ({ text }) => signedJson(trust.order({ order_id: uuidOf(++seq), seq, params: { [text]: text } })),
        ({ text }) =>
          signedJson(trust.order({ order_id: uuidOf(++seq), seq, params: { checks: [{ [text]: 1 }] as never } })),
        ({ text }) =>
          signedJson(
            trust.order({
              order_id: uuidOf(++seq),
              seq,
              kind: 'run_runbook',
              class: 'routine',
              params: { [text]: text },
            }),
          ),
        ({ text }) => signedJson({ ...trust.order({ order_id: uuidOf(++seq), seq }), [text]: text }),
        ({ text }) =>
          signedJson({ ...trust.order({ order_id: uuidOf(++seq), seq, params: { [text]: text } }), kind: text }),
      ];
      for (const [n, identifier] of ALL.entries()) {
        // Refusals are capped per hour; each identifier has its own.
        await open.clock.advance(3_600_000);
        const now = Math.floor(open.clock.wallMs() / 1_000);
        const deps = { store: open.store, evidence: open.log, log, acceptance: () => acceptance(open), now: () => now };
        refused += receiveOrders([forms[n % forms.length]!(identifier)], deps).refused;
      }
      expect(refused).toBe(ALL.length);
      expect(leaksIn(evidenceText(open) + JSON.stringify(log.records), ALL)).toEqual([]);
    }));

  it('never reach an entry from an alert', () =>
    withLog((open) => {
      const recorder = createRecorder({ store: open.store, log: open.log, clock: open.clock });
      const codes = Object.keys(CODES) as ErrorCode[];
      open.store.unit(() => {
        inGroups(ALL, 20).forEach((group, n) => {
          const texts = group.map(({ text }) => text).filter((text) => !/^[a-z_0-9]+$/.test(text));
          const details = { texts, ...Object.fromEntries(texts.map((text) => [text, text])) };
          expect(recorder.raise(codes[n % codes.length]!, { severity: 'high', details })).toBe(true);
        });
      });
      expect(leaksIn(evidenceText(open), ALL)).toEqual([]);
    }));
});
