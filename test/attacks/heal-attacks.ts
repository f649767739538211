// What a compromised daemon may ask of the helpers that heal in the name of a rule. Each changes one thing in what the same test shows
// accepted. Whoever makes them runs as the daemon, holds every online key of Central Command and one operator's, and hands over what he likes.
import { sha256Hex } from '../../agent/wire/digest.ts';
import { applianceRunbook, healBaseline, healSite, RULE, type HealSite } from '../support/heal-fixtures.ts';
import { holding, OPEN_WINDOW, OTHER_SHA256, type Asked, type HealAttack } from './heal-asked.ts';

const DAY_S = 86_400;

const grants = (site: HealSite, asked: Asked, change: Parameters<HealSite['grant']>[1]): Partial<Asked> =>
  holding(asked, { content: site.content({}, 'routine', [site.grant(site.runbooks.av, change)]) });
const filesOf = (site: HealSite) => [
  { path: 'rules/av.yaml', kind: 'rule' as const, ...RULE, version: 1, size: 300 },
  { path: 'runbooks/av.json', kind: 'runbook' as const, ...site.runbooks.av.ref, size: 900, class: 'routine' as const },
];
const baselineFile = (id: string, version: number, sha256: string) => ({
  path: `baselines/${id}-${version}.yaml`,
  kind: 'baseline' as const,
  id,
  version,
  sha256,
  size: 900,
});
const baselines = (site: HealSite, ...files: ReturnType<typeof baselineFile>[]): string =>
  site.content({ files: [...filesOf(site), baselineFile('appliance', 1, site.baselineSha256), ...files] }, 'routine', [
    site.grant(site.runbooks.av),
  ]);
const usedRuns = (asked: Asked, n: number): Partial<Asked> => ({
  context: {
    ...asked.context,
    ledger: {
      ...asked.context.ledger,
      runs: Array.from({ length: n }, (_, i) => ({ runbook: 'RB-APP-AV-001', at: 1_780_315_200 - 600 * (i + 1) })),
    },
  },
});

/** Against a helper that is asked to restart the AV service in the name of a rule. */
export const GRANT_ATTACKS: readonly HealAttack[] = [
  {
    what: 'a helper asked to heal without any grant',
    code: 'helper_not_granted',
    ask: (site, asked) => holding(asked, { content: site.content({}, 'routine', []) }),
  },
  {
    what: 'a grant for a helper, of another rule',
    code: 'helper_not_granted',
    ask: (site) => ({
      act: site.request(
        site.runbooks.av,
        { verb: 'restart-unit', what: 'av_edr' },
        { kind: 'grant', rule: { id: 'backup-stale', sha256: RULE.sha256 } },
      ),
    }),
  },
  {
    what: 'a grant for a helper, of other bytes of its rule',
    code: 'helper_not_granted',
    ask: (site) => ({
      act: site.request(
        site.runbooks.av,
        { verb: 'restart-unit', what: 'av_edr' },
        { kind: 'grant', rule: { id: RULE.id, sha256: OTHER_SHA256 } },
      ),
    }),
  },
  {
    what: 'a grant for a helper, of a learnt rule that was given up before',
    code: 'helper_not_granted',
    ask: (_site, asked) => ({
      context: { ...asked.context, ledger: { ...asked.context.ledger, given_up: [RULE.sha256] } },
    }),
  },
  {
    what: 'a grant for a helper that is past its date',
    code: 'helper_not_granted',
    ask: (site, asked) => grants(site, asked, { not_after: site.now }),
  },
  {
    what: 'a grant for a helper that is meant for targets',
    code: 'helper_not_granted',
    ask: (site, asked) => grants(site, asked, { scope: 'targets' }),
  },
  {
    what: 'a grant for a helper with a limit that nobody knows',
    code: 'helper_not_granted',
    ask: (site, asked) => grants(site, asked, { limits: { per_hour: 1 } }),
  },
  {
    what: 'a grant for a helper, of another baseline',
    code: 'helper_not_granted',
    ask: (site, asked) => {
      const files = [
        ...filesOf(site),
        baselineFile('appliance', 1, site.baselineSha256),
        baselineFile('other', 1, OTHER_SHA256),
      ];
      const other = site.grant(site.runbooks.av, { baseline_sha256: OTHER_SHA256 });
      return holding(asked, { content: site.content({ files }, 'routine', [other]) });
    },
  },
  {
    what: 'a grant for a helper, of another runbook',
    code: 'helper_not_granted',
    ask: (site, asked) => holding(asked, { content: site.content({}, 'routine', [site.grant(site.runbooks.backup)]) }),
  },
  {
    what: 'a helper asked a third time on a day that a grant limits to two',
    code: 'helper_not_now',
    ask: (site, asked) => ({
      context: {
        ...grants(site, asked, { limits: { per_day: 2 } }).context!,
        ledger: usedRuns(asked, 2).context!.ledger,
      },
    }),
  },
  {
    what: 'a helper asked for the seventh run of a runbook in a day',
    code: 'helper_not_now',
    ask: (_site, asked) => usedRuns(asked, 6),
  },
  {
    what: 'a disruptive grant for a helper, outside the window',
    code: 'helper_not_now',
    ask: (site, asked) =>
      holding(asked, {
        content: site.content({}, 'disruptive', [site.grant(site.runbooks.av, { class: 'disruptive' })]),
      }),
  },
  {
    what: 'a disruptive grant for a helper whose clock nothing keeps',
    code: 'helper_not_now',
    ask: (site, asked) =>
      holding(
        asked,
        {
          policy: site.policy(OPEN_WINDOW),
          content: site.content({}, 'disruptive', [site.grant(site.runbooks.av, { class: 'disruptive' })]),
        },
        { clock: { ...asked.context.clock, synchronised: false } },
      ),
  },
  {
    what: 'a helper asked to heal where the site policy has it off',
    code: 'helper_not_granted',
    ask: (site, asked) => holding(asked, { policy: site.policy({ healing: { mode: 'off', runbooks: [] } }) }),
  },
  {
    what: 'a helper asked to heal by a runbook that the site policy has off',
    code: 'helper_not_granted',
    ask: (site, asked) =>
      holding(asked, {
        policy: site.policy({ healing: { mode: 'on', runbooks: [{ id: 'RB-APP-AV-001', mode: 'off' }] } }),
      }),
  },
  {
    what: 'a helper asked to heal where the site policy wants dry runs',
    code: 'helper_not_granted',
    ask: (site, asked) => holding(asked, { policy: site.policy({ healing: { mode: 'dry_run', runbooks: [] } }) }),
  },
  {
    what: 'a helper asked to heal by a content list that lapsed',
    code: 'helper_not_granted',
    ask: (site, asked) =>
      holding(asked, {
        content: site.content({ issued_at: site.now - 50 * DAY_S, expires_at: site.now - 31 * DAY_S }),
      }),
  },
  {
    what: 'a helper asked to heal by a content list whose signer was revoked since',
    code: 'threshold_not_met',
    ask: (site, asked) =>
      holding(asked, { revocations: site.revocations(3, [site.trust.keys['content:alice']!.keyid]) }),
  },
  {
    what: 'a helper asked to heal without a site policy',
    code: 'helper_not_granted',
    ask: (_site, asked) => holding(asked, { policy: null }),
  },
  {
    what: 'a helper asked to heal before it holds a root',
    code: 'helper_root_unknown',
    ask: (_site, asked) => holding(asked, { root: null }),
  },
  {
    what: 'a helper asked to heal under a root that is past its date',
    code: 'root_expired',
    ask: (site, asked) =>
      holding(
        asked,
        {},
        {
          time: { ...asked.context.time!, serverTime: site.now + 400 * DAY_S },
          clock: { ...asked.context.clock, wallMs: (site.now + 400 * DAY_S) * 1_000 },
        },
      ),
  },
  {
    what: 'a helper asked to heal before there is signed time in this boot',
    code: 'helper_time_unknown',
    ask: (_site, asked) => ({ context: { ...asked.context, clock: { ...asked.context.clock, bootId: 'another' } } }),
  },
  {
    what: 'a helper asked to heal whose signed time is not that of NTP',
    code: 'helper_time_off',
    ask: (site, asked) => ({
      context: { ...asked.context, clock: { ...asked.context.clock, wallMs: (site.now + 7_200) * 1_000 } },
    }),
  },
  {
    what: 'a runbook for a helper whose remedy is another one',
    code: 'helper_not_granted',
    ask: (site) => ({
      act: site.request(site.runbooks.backup, { verb: 'restart-unit', what: 'av_edr' }),
      files: site.files(site.runbooks.backup),
    }),
  },
  {
    what: 'a runbook of the service against malware for the packet filter',
    code: 'helper_not_granted',
    ask: (site) => ({ act: site.request(site.runbooks.av, { verb: 'restore-firewall', step: 'restore' }) }),
  },
  {
    what: 'a runbook of the log forwarder for the service against malware',
    code: 'helper_not_granted',
    ask: (site) => ({
      act: site.request(site.runbooks.logging, { verb: 'restart-unit', what: 'av_edr' }),
      files: site.files(site.runbooks.logging),
    }),
  },
  {
    what: 'a runbook for a helper with other bytes than its digest says',
    code: 'helper_not_declared',
    ask: (site) => ({
      files: site.files(applianceRunbook('RB-APP-AV-001', (text) => text.replace('risk: ', '# bent\nrisk: '))),
    }),
  },
  {
    what: 'a runbook for a helper that nobody signed',
    code: 'helper_not_declared',
    ask: (site) => {
      const own = applianceRunbook('RB-APP-AV-001', (text) => text.replace('risk: ', '# bent\nrisk: '));
      return { act: site.request(own, { verb: 'restart-unit', what: 'av_edr' }), files: site.files(own) };
    },
  },
  {
    what: 'a runbook of another id than the list says, for a helper',
    code: 'helper_not_declared',
    ask: (site, asked) => {
      const { bytes, ref } = applianceRunbook('RB-APP-LOGGING-001', (text) =>
        text.replace('check: logging', 'check: av_edr'),
      );
      const named = { bytes, ref: { ...ref, id: 'RB-APP-AV-001' } };
      const files = [
        { path: 'rules/av.yaml', kind: 'rule' as const, ...RULE, version: 1, size: 300 },
        baselineFile('appliance', 1, site.baselineSha256),
        { path: 'runbooks/av.json', kind: 'runbook' as const, ...named.ref, size: 900, class: 'routine' as const },
      ];
      return {
        act: site.request(named, { verb: 'restart-unit', what: 'av_edr' }),
        files: site.files(named),
        ...holding(asked, { content: site.content({ files }, 'routine', [site.grant(named)]) }),
      };
    },
  },
  {
    what: 'no baseline for a helper that has to heal',
    code: 'helper_input_missing',
    ask: (site) => ({ files: { ...site.files(site.runbooks.av), baseline: null } }),
  },
  {
    what: 'a baseline for a helper with other bytes than its digest says',
    code: 'helper_not_declared',
    ask: (site) => ({ files: { ...site.files(site.runbooks.av), baseline: healBaseline({ avUnit: 'evil.service' }) } }),
  },
  {
    what: 'a baseline for a helper that nobody signed',
    code: 'helper_not_declared',
    ask: (site, { act }) => {
      const baseline = healBaseline({ avUnit: 'evil.service' });
      return {
        act: { ...act, baseline_sha256: sha256Hex(baseline) },
        files: { ...site.files(site.runbooks.av), baseline },
      };
    },
  },
  {
    what: 'a baseline for a helper from before the one that is in force',
    code: 'helper_not_declared',
    ask: (site, asked) => holding(asked, { content: baselines(site, baselineFile('appliance', 2, OTHER_SHA256)) }),
  },
  {
    what: 'a signed baseline for a helper of another site',
    code: 'helper_not_declared',
    ask: (site, { act, context }) => {
      const baseline = healBaseline({ id: 'elm-street', avUnit: 'evil.service' });
      const sha256 = sha256Hex(baseline);
      return {
        act: { ...act, baseline_sha256: sha256 },
        files: { ...site.files(site.runbooks.av), baseline },
        context: {
          ...context,
          lines: { ...context.lines, content: baselines(site, baselineFile('elm-street', 9, sha256)) },
        },
      };
    },
  },
  {
    what: 'a baseline for a helper that calls journald a service against malware',
    code: 'helper_unit_refused',
    ask: () => {
      const site = healSite({ baseline: healBaseline({ avUnit: 'systemd-journald.service' }) });
      return {
        act: site.request(site.runbooks.av, { verb: 'restart-unit', what: 'av_edr' }),
        files: site.files(site.runbooks.av),
        context: site.context,
      };
    },
  },
  {
    what: 'a helper asked for a log forwarder that the baseline does not have',
    code: 'helper_not_declared',
    ask: () => {
      const site = healSite({ baseline: healBaseline({ forwarder: 'none' }) });
      return {
        act: site.request(site.runbooks.logging, { verb: 'restart-unit', what: 'log_forwarder' }),
        files: site.files(site.runbooks.logging),
        context: site.context,
      };
    },
  },
];
