// The command line as a whole: verbs, options, help. Each verb's file is loaded only when the verb is called.
import { Command, CommanderError, Option } from 'commander';
import { AgentError } from '../errors/agent-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import { DEFAULT_CONFIG_PATH } from '../config/load-config.ts';
import type { CliContext, CliDeps } from './deps.ts';
import { addEgressVerbs } from './egress-verbs.ts';
import { addHealingVerbs } from './healing-verbs.ts';
import { wholeNumber } from './parse-number.ts';
import { reportError } from './report-error.ts';
import { addRunbookVerbs } from './runbook-verbs.ts';
import { addTicketVerbs } from './ticket-verbs.ts';

/** Environment variable that names the configuration file. */
export const CONFIG_VARIABLE = 'COMPLIANCE_AGENT_CONFIG';
const MAX_SEQ = 999_999_999_999;
const MAX_LIST = 100_000;
const MAX_EPOCH = 999_999_999;
/** The same everywhere, so that docs/cli.md quotes what people see. */
const HELP_WIDTH = 100;

interface GlobalOptions {
  readonly json?: boolean;
  readonly config?: string;
  readonly state?: string;
}

type Run = (context: CliContext, args: readonly string[], options: never) => Promise<number> | number;
type Verb = (parent: Command, words: string, summary: string, run: Run) => Command;

const seq = wholeNumber('a sequence number', 0, MAX_SEQ);
const epochOption = (): Option =>
  new Option('--epoch <n>', 'life of the log (default: the current one)').argParser(
    wholeNumber('--epoch', 1, MAX_EPOCH),
  );

function addVerbs(program: Command, verb: Verb): void {
  verb(program, 'run', 'run the daemon in the foreground', async (context) => (await import('./run.ts')).run(context));

  const exitCode = '--exit-code';
  verb(program, 'status', 'what the running daemon says of itself', async (context, _args, options) =>
    (await import('./status.ts')).status(context, options),
  ).option(exitCode, 'exit 3 when blocked, 6 when a check found drift');
  verb(program, 'console', 'the screen of the machine itself: how it is, in words, redrawn', async (context) =>
    (await import('./console.ts')).consoleVerb(context),
  );
  verb(program, 'doctor', 'look for what keeps the appliance from its work', async (context, _args, options) =>
    (await import('./doctor.ts')).doctor(context, options),
  ).option('--resolver <address>', "ask this DNS server (address or address:port) instead of the system's");
  verb(program, 'check [id...]', 'run checks once, now, and record nothing', async (context, args, options) =>
    (await import('./check.ts')).check(context, args, options),
  ).option(exitCode, 'exit 6 when a check finds drift');

  const evidence = program.command('evidence').description('read and verify signed evidence');
  verb(evidence, 'list', 'entries of the local log, newest first', async (context, _args, options) =>
    (await import('./evidence-list.ts')).evidenceList(context, options),
  )
    .option('--kind <kind>', 'only entries of this kind')
    .addOption(new Option('--from <seq>', 'start here and go forward').argParser(wholeNumber('--from', 0, MAX_SEQ)))
    .addOption(
      new Option('--limit <n>', 'at most this many (default: 20; with --lines: all)').argParser(
        wholeNumber('--limit', 1, MAX_LIST),
      ),
    )
    .addOption(epochOption())
    .option('--lines', 'write the exact signed lines, for `evidence verify` elsewhere');
  verb(evidence, 'show <seq>', 'one entry whole', async (context, args, options) =>
    (await import('./evidence-show.ts')).evidenceShow(context, seq(args[0] ?? ''), options),
  )
    .addOption(epochOption())
    .option('--line', 'write the exact signed line');
  verb(
    evidence,
    'verify [path]',
    'verify exported lines (file or folder), or the local log',
    async (context, args, options) => (await import('./evidence-verify.ts')).evidenceVerify(context, args[0], options),
  )
    .addOption(
      new Option('--root-sha256 <hex>', 'digest of the trust root, from the contract or the partner').argParser(sha256),
    )
    .option(
      '--root <file>',
      'trust roots, one per line, oldest first (default: root.json beside the evidence, or the stored ones)',
    )
    .option('--receipts <file>', 'receipts of Central Command, one per line: the log must reach them')
    .option('--checkpoints <file>', 'checkpoints of the log, as `evidence checkpoints` writes them: it must reach them')
    .option('--anchor <file>', 'lines "checkpoint <origin> <size> <root>" (a syslog will do) or notes that you trust')
    .option(
      '--revocations <file>',
      'signed list of revoked logs, where you have a newer one than lies beside the evidence',
    )
    .option(
      '--tsa-ca <file>',
      'certificates (PEM) of timestamp authorities that you trust: their timestamps then count',
    )
    .option('--resume <file>', 'keep there how far it got; go on from it after an interruption')
    .option('--second-opinion', 'check each signature with a second implementation (much slower)');
  verb(
    evidence,
    'checkpoints',
    'checkpoints of the local log that the witness cosigned, oldest first',
    async (context, _args, options) =>
      (await import('./evidence-checkpoints.ts')).evidenceCheckpoints(context, options),
  ).addOption(epochOption());

  verb(
    evidence,
    'export',
    'write the bundle for an auditor: lines, roots, verifier, report',
    async (context, _args, options) => (await import('./evidence-export.ts')).evidenceExport(context, options),
  )
    .option('--out <dir>', 'folder to make; it must not exist')
    .option(
      '--from <day>',
      'only what was observed from here on (2026-03-01, or a time in UTC); hashes stand for the rest',
    )
    .option('--to <day>', 'only what was observed up to here, that day included')
    .option('--site <id>', 'refuse unless the appliance is at this site');

  verb(program, 'orders', 'orders and refusals, newest first', async (context, _args, options) =>
    (await import('./orders.ts')).orders(context, options),
  ).addOption(
    new Option('--limit <n>', 'at most this many of each').argParser(wholeNumber('--limit', 1, MAX_LIST)).default(20),
  );

  const config = program.command('config').description('check and show the configuration');
  verb(config, 'check [file]', 'say every mistake in the configuration file', async (context, args) =>
    (await import('./config-check.ts')).configCheck(context, args[0]),
  );
  verb(config, 'show', 'values in force, and where each comes from', async (context) =>
    (await import('./config-show.ts')).configShow(context),
  );

  verb(program, 'facts [name...]', 'what the probes read on this machine now', async (context, args, options) =>
    (await import('./facts.ts')).facts(context, args, options),
  ).option('--write <dir>', 'write each as DIR/NAME.json instead, for an agent that may not read it itself');
  verb(program, 'job [name]', 'run a long job of a check, or show how they ended', async (context, args, options) =>
    (await import('./job.ts')).job(context, args, options),
  ).option('--write <dir>', 'leave the result as DIR/NAME.json, for an agent that may not run the job itself');
  const provision = verb(
    program,
    'provision <dir>',
    'enrol with the provisioning files in a folder',
    async (context, args, options) => (await import('./provision.ts')).provision(context, args[0] ?? '', options),
  ).option('--check', 'only say whether the files are complete and fit together');
  verb(provision, 'status', 'how far enrolment is: fingerprint, claim code, what is waited for', async (context) =>
    (await import('./provision-status.ts')).provisionStatus(context),
  );
  verb(provision, 'code <code>', 'enrol with a claim code that Central Command printed', async (context, args) =>
    (await import('./provision-code.ts')).provisionCode(context, args[0] ?? ''),
  );
  verb(
    provision,
    'reset',
    'forget who this appliance was: wipe its keys, set its log aside',
    async (context, _a, options) => (await import('./provision-reset.ts')).provisionReset(context, options),
  ).option('--confirm <id>', 'the id of the appliance, so that it is not the wrong one');
  verb(program, 'helper <verb>', 'one privileged helper; its unit starts it, as root', async (context, args) =>
    (await import('./helper.ts')).helper(context, args),
  );
  addHealingVerbs(program, verb);
  addRunbookVerbs(program, verb);
  addTicketVerbs(program, verb);
  addEgressVerbs(program, verb);
  verb(program, 'version', 'which build this is', async (context) => (await import('./version.ts')).version(context));
  verb(program, 'errors [code]', 'what an error code means and what to do', async (context, args) =>
    (await import('./errors.ts')).errors(context, args[0]),
  );
}

function sha256(text: string): string {
  const digest = text.toLowerCase().replace(/^sha256:/, '');
  if (/^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new AgentError('usage', '--root-sha256 must be 64 hex digits');
}

/** What commander says, as one of our errors. */
function usageError(error: CommanderError): AgentError {
  const [first = '', hint] = error.message.replace(/^error: /, '').split('\n');
  const meant = /^\(Did you mean (.*)\?\)$/.exec(hint ?? '')?.[1];
  return new AgentError('usage', first, meant === undefined ? {} : { remedy: `did you mean ${meant}?` });
}

function build(deps: CliDeps, done: (exit: number) => void, note: (json: boolean) => void): Command {
  const program = new Command('compliance-agent')
    .description('Pulls signed orders, checks this appliance for drift, and keeps signed evidence.')
    .option('--json', 'one JSON object on stdout instead of text')
    .option('--config <file>', `configuration file (default: $${CONFIG_VARIABLE}, then ${DEFAULT_CONFIG_PATH})`)
    .option('--state <dir>', 'state directory, instead of the one that the configuration names');
  const common = (command: Command): Command =>
    command
      .exitOverride()
      .helpCommand(false)
      .allowExcessArguments(false)
      .configureHelp({ showGlobalOptions: true, helpWidth: HELP_WIDTH })
      .configureOutput({ writeOut: (text) => deps.stdout.write(text), writeErr: () => undefined });
  const verb: Verb = (parent, words, summary, run) => {
    const command = common(parent.command(words).description(summary));
    return command.action(async () => {
      const options = command.optsWithGlobals<GlobalOptions>();
      note(options.json === true);
      const context: CliContext = {
        ...deps,
        json: options.json === true,
        configPath: options.config ?? deps.env[CONFIG_VARIABLE] ?? DEFAULT_CONFIG_PATH,
        stateDir: options.state ?? null,
      };
      done(
        await run(
          context,
          command.processedArgs.flat().filter((arg) => arg !== undefined) as string[],
          options as never,
        ),
      );
    });
  };
  common(program);
  addVerbs(program, verb);
  for (const group of program.commands) common(group);
  return program;
}

/**
 * Runs one command line (without node and script) and resolves with the exit code of agent/errors/exit-codes.ts. Never
 * throws and never ends the process.
 */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  let exit: number = EXIT.ok;
  // Options may be wrong before they are read, so the wish for JSON is taken from the words themselves.
  let json = argv.includes('--json');
  const program = build(
    deps,
    (code) => (exit = code),
    (wanted) => (json = wanted),
  );
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, { ...deps, json });
    if (error.exitCode === 0) return EXIT.ok;
    // A group or the program without a verb: commander printed help as an error.
    if (error.code === 'commander.help') {
      deps.stderr.write(groupOf(program, argv).helpInformation());
      return EXIT.usage;
    }
    return reportError(usageError(error), { ...deps, json });
  }
}

function groupOf(program: Command, argv: readonly string[]): Command {
  return program.commands.find((command) => command.commands.length > 0 && argv.includes(command.name())) ?? program;
}
