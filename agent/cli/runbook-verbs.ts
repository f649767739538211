// The verbs of `runbook`. Each verb's file is loaded only when the verb is called.
import type { Command } from 'commander';
import type { AddVerb } from './healing-verbs.ts';

export function addRunbookVerbs(program: Command, verb: AddVerb): void {
  const runbook = program.command('runbook').description('read and check runbooks');
  verb(runbook, 'list', 'the runbooks of this agent, with class and digest', async (context) =>
    (await import('./runbook-list.ts')).runbookList(context),
  );
  verb(
    runbook,
    'show <runbook>',
    'one runbook (id, or its folder): what it does, params, digest',
    async (context, args, o) => (await import('./runbook-show.ts')).runbookShow(context, args[0] ?? '', o),
  ).option('--package <file>', 'also write its one blob, whose digest the content list names');
  verb(runbook, 'lint <folder...>', 'say every mistake in the folders of runbooks', async (context, args) =>
    (await import('./runbook-lint.ts')).runbookLint(context, args),
  );
  verb(runbook, 'run <folder>', 'run a runbook on a lab machine; not part of the package', async (context, args, o) =>
    (await import('./runbook-run.ts')).runbookRun(context, args[0] ?? '', o),
  )
    .option('--target <file>', 'the machine: one target as docs/formats/targets.md has it, without its secret')
    .option('--root <file>', 'trust root of the lab (its partner is `lab`)')
    .option('--content <file>', 'content list of the lab that names the runbook')
    .option('--action <action>', 'detect (default), remediate or rollback')
    .option('--dry-run', 'stop before anything is changed');
}
