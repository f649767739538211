// The verbs about the egress table: what may leave the machine now, and root's oneshot that opens it.
import type { Command } from 'commander';
import type { AddVerb } from './healing-verbs.ts';

export function addEgressVerbs(program: Command, verb: AddVerb): void {
  const egress = program
    .command('egress')
    .description('what may leave this machine: everything is closed but what is named');
  verb(egress, 'show', 'what is open now, for what, and until when', async (context) =>
    (await import('./egress-show.ts')).egressShow(context),
  );
  verb(egress, 'refresh', 'open it for three turns (root, as its unit starts it)', async (context) =>
    (await import('./egress-refresh.ts')).egressRefresh(context),
  );
}
