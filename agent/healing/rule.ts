// `healing` decides what is done about drift: rules first (L1), then a planner (L2), then people (L3).
//
// One rule of L1, as its file says it (docs/formats/rules.md): strict, every mistake at once, each with its line. Pure.
import * as v from 'valibot';
import { parseDataFile } from '../checks/data-file.ts';
import { closestName } from '../errors/closest-name.ts';
import { DEFAULT_LIMITS, limitProblems, type HealingLimits } from '../guards/healing-limits.ts';
import { int, severity, sha256Hex, text, version } from '../wire/schemas/primitives.ts';
import { PLATFORMS, VOCABULARY, type Vocabulary } from './rule-fields.ts';
import { compileCondition, OPERATORS, type Test } from './rule-operators.ts';

/** A word in lower case: it stands in evidence as the condition of an incident. */
const ruleId = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{2,62}$/, 'must be an id like av-service-stopped'));
const runbookId = v.pipe(v.string(), v.regex(/^RB-(?:WIN|APP)-[A-Z]+-[0-9]{3}$/, 'must be an id like RB-WIN-AV-001'));
const fieldName = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_.-]{0,63}$/, 'must be the name of a field'));

const condition = v.strictObject({
  field: fieldName,
  op: v.picklist(OPERATORS, (issue) => {
    const close = closestName(String(issue.input), OPERATORS);
    return close === null ? `must be one of ${OPERATORS.join(', ')}` : `is no operator; did you mean ${close}?`;
  }),
  value: v.union(
    [
      v.boolean(),
      v.string(),
      int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      v.array(v.union([v.string(), int(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)])),
    ],
    'must be a text, a whole number, true, false, or a list',
  ),
});
const conditions = v.pipe(v.array(condition), v.minLength(1), v.maxLength(16));

/** Values of the runbook's own params; which there are and what they may be is the runbook's to say. */
const params = v.pipe(
  v.record(
    v.pipe(v.string(), v.regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be a name like max_age_days')),
    v.union([v.boolean(), int(-2_147_483_648, 2_147_483_647), text(64), v.array(text(64))]),
  ),
  v.check((given) => !Array.isArray(given) && Object.keys(given).length <= 32, 'must be at most 32 named params'),
);

const flap = v.pipe(
  v.array(v.strictObject({ count: int(2, 100), within_s: int(600, 7_776_000) })),
  v.minLength(1),
  v.maxLength(4),
);

const ruleFile = v.strictObject({
  schema: v.literal('compliance-agent/rule/v1'),
  id: ruleId,
  version,
  title: text(120),
  platform: v.picklist(PLATFORMS),
  when: v.strictObject({
    check: fieldName,
    all: v.optional(conditions),
    any: v.optional(conditions),
    none: v.optional(conditions),
  }),
  /** What is run; or `alert`, why people are told and nothing is run. One of the two. */
  runbook: v.optional(runbookId),
  params: v.optional(params),
  alert: v.optional(text(300)),
  /** Of the incident that it opens. */
  severity,
  /** Of the rules that fit one finding, the one with the highest number is taken. */
  priority: int(0, 1_000),
  cooldown_s: int(300, 604_800),
  max_attempts: int(1, 3),
  flap: v.optional(flap),
  controls: v.pipe(
    v.array(
      v.strictObject({
        map: text(64),
        cite: v.pipe(v.string(), v.regex(/^[0-9]{3}\.[0-9]{3}(?:\([0-9A-Za-z]{1,4}\))*$/)),
      }),
    ),
    v.minLength(1),
    v.maxLength(16),
  ),
  source: v.picklist(['builtin', 'site', 'promoted']),
  /** Of a rule that was learnt: SHA-256 of the pattern of drift. With `source: promoted`, and only with it. */
  learnt_from: v.optional(sha256Hex),
});
export type RuleFile = v.InferOutput<typeof ruleFile>;

export interface CompiledCondition {
  readonly field: string;
  readonly op: string;
  readonly value: unknown;
  readonly test: Test;
}

export interface Rule {
  readonly file: RuleFile;
  /** Of the file's bytes: what the content list and a grant name. */
  readonly sha256: string;
  readonly place: string;
  readonly all: readonly CompiledCondition[];
  readonly any: readonly CompiledCondition[];
  readonly none: readonly CompiledCondition[];
  readonly limits: HealingLimits;
}

const GROUPS = ['all', 'any', 'none'] as const;
type Path = readonly (string | number)[];

/** The limits that hold for what this rule starts. */
function limitsOf(file: RuleFile): HealingLimits {
  const own = file.flap?.map(({ count, within_s: withinS }) => ({ count, withinS }));
  return {
    ...DEFAULT_LIMITS,
    cooldownS: file.cooldown_s,
    maxAttempts: file.max_attempts,
    flap: own ?? DEFAULT_LIMITS.flap,
  };
}

/** Mistakes that no single key shows, each with the path of what is wrong. */
function senseMistakes(file: RuleFile, vocabulary: Vocabulary): { path: Path; sentence: string }[] {
  const mistakes: { path: Path; sentence: string }[] = [];
  const say = (path: Path, sentence: string): void => void mistakes.push({ path, sentence });
  if ((file.runbook === undefined) === (file.alert === undefined)) {
    say(['id'], 'a rule names a runbook, or says with alert why it runs none: one of the two');
  }
  if ((file.source === 'promoted') !== (file.learnt_from !== undefined)) {
    say(['source'], 'a rule that was learnt has source promoted and learnt_from: both or none');
  }
  if (file.params !== undefined && file.runbook === undefined) say(['params'], 'there is no runbook to take them');
  const prefix = file.platform === 'windows' ? 'RB-WIN-' : 'RB-APP-';
  if (file.runbook !== undefined && !file.runbook.startsWith(prefix)) {
    say(['runbook'], `a rule for ${file.platform} runs only ${prefix}…`);
  }
  for (const problem of limitProblems(limitsOf(file))) {
    say([file.flap === undefined ? 'cooldown_s' : 'flap'], problem);
  }
  const checks = vocabulary[file.platform];
  const fields = checks[file.when.check];
  if (fields === undefined) {
    const close = closestName(file.when.check, Object.keys(checks));
    say(['when', 'check'], `${file.platform} has no such check${close === null ? '' : `; did you mean ${close}?`}`);
    return mistakes;
  }
  for (const group of GROUPS) {
    for (const [i, { field, op, value }] of (file.when[group] ?? []).entries()) {
      const known = fields[field];
      if (known === undefined) {
        const close = closestName(field, Object.keys(fields));
        const hint = close === null ? '' : `; did you mean ${close}?`;
        say(['when', group, i, 'field'], `${file.when.check} records no such field${hint}`);
        continue;
      }
      const compiled = compileCondition(op, value, known);
      if (typeof compiled === 'string') say(['when', group, i, 'value'], compiled);
    }
  }
  return mistakes;
}

/** A path as the issues of the schema give it, so that the line of each mistake is found the same way. */
function issuePath(input: unknown, path: Path): [v.IssuePathItem, ...v.IssuePathItem[]] {
  let here = input;
  return path.map((key) => {
    const from = here as Record<string | number, unknown>;
    here = from?.[key];
    return { type: 'unknown' as const, origin: 'value' as const, input: from, key, value: here };
  }) as [v.IssuePathItem, ...v.IssuePathItem[]];
}

const schemaFor = (vocabulary: Vocabulary) =>
  v.pipe(
    ruleFile,
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      for (const { path, sentence } of senseMistakes(dataset.value, vocabulary)) {
        addIssue({ message: sentence, path: issuePath(dataset.value, path) });
      }
    }),
  );

/**
 * Reads one rule and compiles it.
 *
 * @param vocabulary what may be asked for; that of this program's checks unless a test brings its own
 * @throws rule_invalid with every mistake and its line
 */
export function parseRule(bytes: Uint8Array, place: string, vocabulary: Vocabulary = VOCABULARY): Rule {
  const { value: file, sha256 } = parseDataFile(bytes, place, schemaFor(vocabulary), 'rule_invalid');
  const fields = vocabulary[file.platform][file.when.check] ?? {};
  // Regular expressions last: most findings are decided before one is needed.
  const cost = ({ op }: CompiledCondition): number => (op === 'matches' ? 1 : 0);
  const compiled = (group: (typeof GROUPS)[number]): CompiledCondition[] =>
    (file.when[group] ?? [])
      .flatMap(({ field, op, value }) => {
        const known = fields[field];
        const test = known === undefined ? 'unknown' : compileCondition(op, value, known);
        return typeof test === 'string' ? [] : [{ field, op, value, test }];
      })
      .toSorted((a, b) => cost(a) - cost(b));
  const groups = { all: compiled('all'), any: compiled('any'), none: compiled('none') };
  return { file, sha256, place, ...groups, limits: limitsOf(file) };
}
