// The verbs about healing: its rules, its incidents, and why it did or did not act.
import { Option, type Command } from 'commander';
import type { CliContext } from './deps.ts';
import { wholeNumber } from './parse-number.ts';

const MAX_LIST = 10_000;

type Run = (context: CliContext, args: readonly string[], options: never) => Promise<number> | number;
/** Adds one verb below `parent`; the common options are its caller's. */
export type AddVerb = (parent: Command, words: string, summary: string, run: Run) => Command;

export function addHealingVerbs(program: Command, verb: AddVerb): void {
  const rules = program.command('rules').description('healing rules (L1): what would be done about which drift');
  verb(
    rules,
    'list [dir]',
    'the rules of a folder (default: those shipped), in the order of trial',
    async (context, args) => (await import('./rules.ts')).rulesList(context, args[0]),
  );
  verb(rules, 'lint [path...]', 'say every mistake in rule files or folders', async (context, args) =>
    (await import('./rules.ts')).rulesLint(context, args),
  );
  verb(
    rules,
    'test <path>',
    'hold rules against recorded findings: which fire, and why not',
    async (context, args, o) => (await import('./rules.ts')).rulesTest(context, args[0] ?? '', o),
  ).option('--findings <file>', 'lines of a log, or findings, one per line (default: the local log)');

  const incidents = program.command('incidents').description('drift from first sight to closed');
  verb(incidents, 'list', 'open incidents, newest change first', async (context, _args, options) =>
    (await import('./incidents.ts')).incidentsList(context, options),
  )
    .option('--all', 'closed ones too')
    .addOption(
      new Option('--limit <n>', 'at most this many').argParser(wholeNumber('--limit', 1, MAX_LIST)).default(50),
    );
  verb(
    incidents,
    'show <incident>',
    'the story of one incident, with the entries that it rests on',
    async (context, args) => (await import('./incidents.ts')).incidentsShow(context, args[0] ?? ''),
  );
  const healing = program.command('healing').description('what healing does, and why');
  verb(healing, 'explain <incident>', 'why healing did or did not act, and when it will next', async (context, args) =>
    (await import('./incidents.ts')).healingExplain(context, args[0] ?? ''),
  );
  verb(
    healing,
    'pause',
    'keep healing from changing anything for a while; ends by itself, or by an order of two persons',
    async (context, _args, options) => (await import('./healing.ts')).healingPause(context, options),
  )
    .option('--for <length>', 'how long, like 90s, 30m, 4h or 2d (default: 4h)')
    .option('--until <time>', 'until then, like 2027-01-15T06:00:00Z');
  verb(healing, 'status', 'mode, pauses, rules, grants, and what is stopped', async (context) =>
    (await import('./healing.ts')).healingStatus(context),
  );

  const learning = program.command('learning').description('drift that has much in common, and what healed it');
  verb(learning, 'list', 'patterns of drift, the one that was seen last first', async (context, _args, options) =>
    (await import('./learning.ts')).learningList(context, options),
  ).addOption(
    new Option('--limit <n>', 'at most this many').argParser(wholeNumber('--limit', 1, MAX_LIST)).default(50),
  );
  verb(
    learning,
    'show <pattern>',
    'one pattern: its facts, what was tried, and the rule that it would make',
    async (context, args) => (await import('./learning.ts')).learningShow(context, args[0] ?? ''),
  );
  verb(
    learning,
    'approve <pattern>',
    'write the rule and the grant that people then sign; puts nothing into force',
    async (context, args, options) => (await import('./learning.ts')).learningApprove(context, args[0] ?? '', options),
  ).requiredOption('--dir <dir>', 'folder to write into');
  verb(learning, 'reject <pattern>', 'say that no rule is wanted of it', async (context, args) =>
    (await import('./learning.ts')).learningReject(context, args[0] ?? ''),
  );
}
