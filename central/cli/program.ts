// The verbs of `central-command`. Each is one file, loaded only when it is called.
import { Command, CommanderError, Option } from 'commander';
import { EXIT } from '../../agent/errors/exit-codes.ts';
import { reportError } from './output.ts';
import { byOption, collect, group, jsonOption, keysOption, storeOption, verb, wholeNumber } from './verb-parts.ts';

/** @returns the exit code (agent/errors/exit-codes.ts) */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return reportError(error, argv.includes('--json'));
  }
}

function buildProgram(): Command {
  const program = new Command('central-command')
    .description('Central Command: enrols appliances, answers check-ins, issues orders, stores evidence')
    .exitOverride();

  verb(program, 'init', 'make a new Central Command: keys, CA, trust root; overwrites nothing')
    .addOption(keysOption())
    .requiredOption('--partner <id>', 'id of the partner')
    .option('--person <name>', 'who holds root, content and operator keys; repeat for more persons', collect)
    .option('--direct', 'the owner of the appliances runs this Central (default: a reseller does)')
    .option('--log-domain <domain>', 'first part of every log origin (default: <partner>.internal)')
    .addOption(storeOption())
    .action(async (o) => (await import('./init.ts')).init(o));

  verb(program, 'serve', 'answer appliances until stopped')
    .option('--listen <host:port>', 'where to listen; port 0 picks one', '127.0.0.1:8443')
    .option('--url <url>', 'how appliances reach it (default: the listening address)')
    .option('--checkin-interval <s>', 'seconds between check-ins', wholeNumber, 60)
    .option('--claim-interval <s>', 'seconds between claims of a pending device', wholeNumber, 10)
    .option('--plain-keys', "start although the server's own keys lie in plain files")
    .addOption(storeOption())
    .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .action(async (o) => (await import('./serve.ts')).serve(o));

  const site = group(program, 'site', 'sites of customers');
  verb(site, 'add <id>', 'add a site')
    .requiredOption('--customer <id>', 'the customer it belongs to')
    .action(async (id, o) => (await import('./site.ts')).addSite(id, o));
  verb(site, 'list', 'list sites').action(async (o) => (await import('./site.ts')).listSites(o));

  const appliance = group(program, 'appliance', 'enrolled and pending appliances');
  verb(appliance, 'list', 'list appliances and pending devices').action(async (o) =>
    (await import('./appliance-list.ts')).listAppliances(o),
  );
  verb(appliance, 'confirm <id-or-fingerprint>', 'confirm that this fingerprint stands on the console of the device')
    .addOption(keysOption())
    .option('--appliance-id <id>', 'name it (default: its site and the start of its fingerprint)')
    .option('--replace', 'it takes the place of the device of that id, which has lost its keys')
    .action(async (query, o) => (await import('./appliance-confirm.ts')).confirmAppliance(query, o));
  verb(
    appliance,
    'confirm-epoch <id>',
    'vouch for the epoch that an appliance opened itself; as many persons as the root asks',
  )
    .addOption(keysOption())
    .action(async (id, o) => (await import('./appliance-confirm-epoch.ts')).confirmOneEpoch(id, o));
  verb(appliance, 'revoke <id>', 'take nothing from an appliance any more, for good; its evidence stays')
    .addOption(keysOption())
    .requiredOption('--reason <text>', 'why; the appliance is told')
    .action(async (id, o) => (await import('./appliance-revoke.ts')).revokeOne(id, o));
  verb(appliance, 'decommission <id>', 'take an appliance out of service; its evidence stays, its place may be taken')
    .addOption(keysOption())
    .requiredOption('--reason <text>', 'why; the appliance is told')
    .action(async (id, o) => (await import('./appliance-revoke.ts')).decommissionOne(id, o));
  verb(appliance, 'vouch <id>', 'say that there is no second machine with its keys; closes the alarms about copies')
    .addOption(keysOption())
    .action(async (id, o) => (await import('./appliance-revoke.ts')).vouchForOne(id, o));
  verb(appliance, 'recovery-key <id>', 'print the sealed recovery keys of its disk, and how their owner opens them')
    .option('--volume <uuid>', 'only of this volume, as cryptsetup luksUUID names it')
    .option('--out <file>', 'write the newest into a new file')
    .action(async (id, o) => (await import('./appliance-recovery-key.ts')).recoveryKey(id, o));
  verb(appliance, 'alarms', 'list alarms: copies, silence, evidence that does not fit')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .action(async (o) => (await import('./appliance-alarms.ts')).listAlarms(o));

  const tickets = group(program, 'tickets', 'what appliances ask people to look at');
  verb(tickets, 'list', 'list tickets that are not closed, the newest change first')
    .option('--appliance <id>', 'only of this appliance')
    .option('--all', 'closed ones too')
    .option('--limit <n>', 'how many', wholeNumber, 100)
    .action(async (o) => (await import('./tickets.ts')).listTickets(o));
  verb(tickets, 'show <id>', 'show a ticket as its appliance told it last')
    .option('--appliance <id>', 'only of this appliance')
    .action(async (id, o) => (await import('./tickets.ts')).showTicket(id, o));

  const token = group(program, 'token', 'one-time enrolment tokens');
  verb(token, 'new', 'make a token; it is printed once and not stored')
    .requiredOption('--site <id>', 'site of the device')
    .option('--days <n>', 'how long it is good for', wholeNumber)
    .action(async (o) => (await import('./token.ts')).printNewToken(o));

  const ca = group(program, 'ca', 'the certificate authority that appliances pin');
  verb(ca, 'show', 'which CA is in use, and its backup').action(async (o) => (await import('./ca.ts')).showCa(o));
  verb(ca, 'switch', 'put the backup CA in use and make a new backup; refused where appliances do not know it')
    .addOption(keysOption())
    .option('--leave-behind', 'although appliances will refuse this server until they get new files')
    .action(async (o) => (await import('./ca.ts')).switchCa(o));

  const enrolment = group(program, 'enrolment', 'machines that are expected, by what stands on their label');
  verb(enrolment, 'expect', 'let a machine wait for approval at a site, by its serial number or MAC address')
    .requiredOption('--site <id>', 'site of the machine')
    .option('--serial <number>', 'serial number of its firmware')
    .option('--mac <address>', 'address of one of its network cards')
    .option('--days <n>', 'how long it is expected', wholeNumber)
    .addOption(byOption())
    .action(async (o) => (await import('./enrolment.ts')).expectOne(o));
  verb(enrolment, 'forget', 'expect a machine no more; devices that claimed already stay')
    .option('--serial <number>', 'serial number of its firmware')
    .option('--mac <address>', 'address of one of its network cards')
    .addOption(byOption())
    .action(async (o) => (await import('./enrolment.ts')).forgetOne(o));
  verb(enrolment, 'list', 'list expected machines, and devices that wait and belong to no site').action(async (o) =>
    (await import('./enrolment.ts')).listEnrolment(o),
  );

  const claim = group(program, 'claim', 'claim codes: they tie a device to a site once, within 15 minutes');
  verb(claim, 'new', 'make a code for one device of a site, to be typed or scanned there; printed once, not stored')
    .requiredOption('--site <id>', 'site of the device')
    .addOption(byOption())
    .action(async (o) => (await import('./claim.ts')).printClaimCode(o));
  verb(claim, 'approve <code>', 'tie the device that shows this code, alias or QR address to a site')
    .requiredOption('--site <id>', 'site of the device')
    .addOption(byOption())
    .option('--address <address>', 'where the technician comes from (default: of this shell)')
    .action(async (code, o) => (await import('./claim.ts')).approveOne(code, o));
  verb(claim, 'unlock', 'let an account or address that tried wrong codes try again')
    .option('--account <id>', 'the account')
    .option('--address <address>', 'the address')
    .addOption(byOption())
    .action(async (o) => (await import('./claim.ts')).unlock(o));
  verb(claim, 'list', 'list codes and who is locked').action(async (o) => (await import('./claim.ts')).listClaims(o));

  const audit = group(program, 'audit', 'who let what in, and who was kept out');
  verb(audit, 'list', 'list tokens, expected machines, claims, confirmations, revocations, newest first')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .action(async (o) => (await import('./audit-list.ts')).listAccess(o));

  const target = group(program, 'target', 'machines that appliances reach; their secrets can be set, never shown');
  verb(target, 'add <id>', 'let an appliance reach a machine, or change how; with --principal the secret is read too')
    .requiredOption('--appliance <id>', 'which appliance')
    .requiredOption('--address <ip>', 'IP address; the site policy must name its network and port')
    .requiredOption('--auth <how>', 'kerberos, ntlm, certificate or basic_tls')
    .requiredOption('--credential <id>', 'which account of the site, for example clinic-svc')
    .requiredOption('--role <role>', 'for example workstation or domain-controller')
    .option('--hostname <name>', 'name in its certificate and tickets (default: the id)')
    .option('--port <n>', 'default: 5986, with --http 5985', wholeNumber)
    .option('--http', 'without TLS: what is sent is sealed by kerberos or ntlm alone')
    .option('--principal <name>', 'name of the account; its secret is asked for, or read from standard input')
    .option('--domain <name>', 'its domain or realm; none for an account of the machine itself')
    .option('--kdc <host>', 'where its tickets come from; may be given again', collect)
    .option('--tls-spki <sha256>', 'pin of the key in its certificate')
    .option('--tls-ca <file>', 'CA certificate that its own must lead to (default: those of the system)')
    .option('--os <text>', 'what it runs')
    .addOption(byOption())
    .action(async (id, o) => (await import('./target.ts')).addOne(id, o));
  verb(target, 'set-secret <credential>', 'store the next version of a secret: asked for, or read from standard input')
    .requiredOption('--site <id>', 'which site')
    .option('--principal <name>', 'name of the account, for a new credential')
    .option('--domain <name>', 'its domain or realm')
    .addOption(byOption())
    .action(async (id, o) => (await import('./target.ts')).setSecret(id, o));
  verb(target, 'list', 'list targets with the state that their appliance reported last').action(async (o) =>
    (await import('./target.ts')).listTargets(o),
  );
  verb(target, 'remove <id>', 'let an appliance reach a machine no more; a secret that nothing uses goes too')
    .requiredOption('--appliance <id>', 'which appliance')
    .addOption(byOption())
    .action(async (id, o) => (await import('./target.ts')).removeOne(id, o));

  const usb = group(program, 'usb', 'provisioning sticks');
  verb(usb, 'write <dir>', 'write clinic.yaml, root.json and ca.pem for one device, with a new token')
    .option('--site <id>', 'site of the device')
    .option('--no-token', 'for any device: tied to its site by its label or a claim code')
    .option('--claim-url <url>', 'where people type claim codes (default: /claim at the address of Central Command)')
    .option('--days <n>', 'how long the token is good for', wholeNumber)
    .option('--url <url>', 'how the device reaches Central Command (default: as serve was started)')
    .option(
      '--root-version <n>',
      'trust root of the stick (default: the newest); an appliance takes the one it was made with',
      wholeNumber,
    )
    .action(async (dir, o) => (await import('./usb.ts')).writeUsb(dir, o));

  const partner = group(program, 'partner', 'partner.json: the one file that an installer image is built with');
  verb(partner, 'draft', 'write what holders of root keys are to sign, from what Central Command knows of itself')
    .requiredOption(
      '--recipient <age1…>',
      'who can open the disks: their recovery keys are sealed to it; repeat',
      collect,
    )
    .requiredOption('--product <name>', 'what the installer calls the product')
    .requiredOption('--support <text>', 'whom people turn to')
    .option('--url <url>', 'how appliances reach Central Command (default: as serve was started)')
    .option('--claim-url <url>', 'where people type claim codes (default: /claim at the address of Central Command)')
    .option('--disk <name>', 'kernel name or serial number of the disk, where machines have more than one')
    .option('--reinstall', 'erase finished installs too, each once per stick')
    .requiredOption('--out <file>', 'the draft; must not exist')
    .action(async (o) => (await import('./partner.ts')).draft(o));
  partner
    .command('sign <file>')
    .description('show what a draft says and add a signature; needs no server and no network')
    .addOption(keysOption())
    .addOption(jsonOption())
    .option('--person <id>', 'whose key, where the folder holds several')
    .option('--yes', 'sign without asking')
    .action(async (file, o) => (await import('./partner.ts')).sign(file, o));
  verb(partner, 'write <file>', 'write partner.json from a signed draft, the trust root and the CA certificates')
    .requiredOption('--out <file>', 'partner.json; must not exist')
    .action(async (file, o) => (await import('./partner.ts')).write(file, o));

  const order = group(program, 'order', 'signed orders');
  verb(order, 'issue', 'sign an order; the next check-in delivers it')
    .requiredOption('--appliance <id>', 'for whom')
    .requiredOption('--kind <kind>', 'what: run_check, run_runbook, collect_diagnostics, restart_agent, set_healing …')
    .option('--params <json>', 'parameters of the kind', '{}')
    .option('--runbook <id>', 'for run_runbook: a listed runbook, or id:version:sha256')
    .option('--target <id>', 'a target, or id=identity with what it is pinned to; repeat for more', collect)
    .option('--class <class>', 'refuse to sign unless the order is of this class')
    .option('--ttl <s>', 'seconds until it expires, at most 900', wholeNumber)
    .option('--window <mode>', 'require (default), or override with --reason', 'require')
    .option('--reason <text>', 'why the window is overridden')
    .option('--dry-run', 'only say what would be done')
    .option('--ticket <text>', 'ticket that it belongs to')
    .option('--print', 'print the signed envelope')
    .action(async (o) => (await import('./order-issue.ts')).issue(o));
  verb(order, 'list', 'list orders and what became of them; also refusals of orders that were not issued here')
    .option('--appliance <id>', 'only of this appliance')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .action(async (o) => (await import('./order-list.ts')).listOrders(o));

  const authorise = group(program, 'authorise', 'disruptive acts, each signed by two persons beforehand');
  verb(authorise, 'draft', 'write what is to be signed into a file')
    .requiredOption('--appliance <id>', 'for whom')
    .requiredOption('--kind <kind>', 'what: set_healing, reboot, update_system …')
    .option('--params <json>', 'parameters of the kind', '{}')
    .option('--runbook <id>', 'the runbook, where the kind runs one: a listed id, or id:version:sha256')
    .option('--target <id=identity>', 'a target with its pinned identity; repeat for more', collect)
    .option('--window <mode>', 'require (default), or override with --reason', 'require')
    .option('--reason <text>', 'why the window is overridden')
    .option('--days <n>', 'how long it is good for, at most 7', wholeNumber, 7)
    .requiredOption('--out <file>', 'the draft; must not exist')
    .action(async (o) => (await import('./authorise.ts')).draft(o));
  authorise
    .command('sign <file>')
    .description('show what a draft says and add a signature; needs no server and no network')
    .addOption(keysOption())
    .addOption(jsonOption())
    .option('--person <id>', 'whose key, where the folder holds several')
    .option('--yes', 'sign without asking')
    .action(async (file, o) => (await import('./authorise.ts')).sign(file, o));
  verb(authorise, 'publish <file>', 'have the act ordered inside the window, until there is a result').action(
    async (file, o) => (await import('./authorise.ts')).publish(file, o),
  );
  verb(authorise, 'list', 'list authorisations and what became of them')
    .option('--limit <n>', 'how many', wholeNumber, 50)
    .action(async (o) => (await import('./authorise.ts')).list(o));
  verb(authorise, 'withdraw <id>', 'order it no more').action(async (id, o) =>
    (await import('./authorise.ts')).withdraw(id, o),
  );

  const policy = group(program, 'policy', 'site policies');
  verb(policy, 'sign <file>', 'complete, sign and publish a site policy (YAML or JSON)')
    .addOption(keysOption())
    .requiredOption('--site <id>', 'site that it is for')
    .option('--out <file>', 'also write the signed envelope there')
    .action(async (file, o) => (await import('./policy-sign.ts')).signPolicy(file, o));

  const content = group(program, 'content', 'content lists');
  verb(content, 'sign', 'list, sign and publish the digests of runbooks, rules, baselines and control maps')
    .addOption(keysOption())
    .requiredOption('--dir <dir>', 'folder with baselines/, controls/, rules/ and runbooks')
    .option('--note <text>', 'what changed')
    .option('--grants <file>', 'standing grants (YAML or JSON); without it the list has none')
    .option('--out <file>', 'also write the signed envelope there')
    .action(async (o) => (await import('./content-sign.ts')).signContent(o));
  verb(content, 'show', 'show a published content list: its files and standing grants')
    .option('--version <n>', 'another than the newest', wholeNumber)
    .action(async (o) => (await import('./content-show.ts')).showContent(o));

  const keys = group(
    program,
    'keys',
    'keys of people: on the machine of their holder, no server and no network needed',
  );
  keys
    .command('create')
    .description('make a key; it counts once a trust root names it')
    .addOption(keysOption())
    .addOption(jsonOption())
    .requiredOption('--role <role>', 'root, content or operator')
    .requiredOption('--person <id>', 'the holder')
    .action(async (o) => (await import('./keys.ts')).create(o));
  keys
    .command('list')
    .description('list the keys in a folder')
    .addOption(keysOption())
    .addOption(jsonOption())
    .action(async (o) => (await import('./keys.ts')).list(o));
  keys
    .command('seal')
    .description('replace plain key files by age files under a passphrase')
    .addOption(keysOption())
    .option('--data <dir>', "the server's own keys in this folder, instead of those of people")
    .addOption(jsonOption())
    .action(async (o) => (await import('./keys.ts')).seal(o));

  const root = group(program, 'root', 'the trust root: who may sign what');
  verb(root, 'show', 'show the trust root in force').action(async (o) => (await import('./root.ts')).show(o));
  verb(root, 'draft', 'write the next version into a file; without further options it is only renewed')
    .requiredOption('--out <file>', 'the draft; must not exist')
    .option('--person <id=name>', 'a further person', collect)
    .option('--add <role:person=spki>', 'a further key; @SITE,SITE behind it for some sites only', collect)
    .option('--remove <keyid>', 'a key that counts no more', collect)
    .option('--compromised <keyid>', 'a key that somebody else has', collect)
    .option('--threshold <role=n>', 'how many persons must sign', collect)
    .option('--online <role>', 'make a new key of the server for this role', collect)
    .option('--days <n>', 'how long it is good for, at most 366', wholeNumber, 365)
    .action(async (o) => (await import('./root.ts')).draft(o));
  root
    .command('sign <file>')
    .description('show what a draft says and add a signature; needs no server and no network')
    .addOption(keysOption())
    .addOption(jsonOption())
    .option('--person <id>', 'whose key, where the folder holds several')
    .option('--yes', 'sign without asking')
    .action(async (file, o) => (await import('./root.ts')).sign(file, o));
  verb(root, 'publish <file>', 'put the next version in force, here and at every appliance').action(async (file, o) =>
    (await import('./root.ts')).publish(file, o),
  );

  const revoke = group(program, 'revoke', 'keys of the trust root, and logs, that count no more');
  verb(revoke, 'key <keyid>', 'sign and publish the next list of revocations, with this key')
    .addOption(keysOption())
    .requiredOption('--reason <text>', 'why')
    .action(async (keyid, o) => (await import('./revoke-key.ts')).revoke(keyid, o));
  verb(revoke, 'origin <origin>', 'sign and publish the next list of revocations, with this log from a size on')
    .addOption(keysOption())
    .option('--size <n>', 'entries that stay trusted (default: up to the last cosigned checkpoint)', wholeNumber)
    .action(async (origin, o) => (await import('./revoke-origin.ts')).revokeLog(origin, o));
  verb(revoke, 'list', 'list the keys of the trust root, and which are revoked').action(async (o) =>
    (await import('./revoke-list.ts')).listKeys(o),
  );

  const evidence = group(program, 'evidence', 'stored evidence');
  verb(evidence, 'list', 'list stored logs').action(async (o) => (await import('./evidence-list.ts')).listEvidence(o));
  verb(evidence, 'verify', 'verify stored logs: every signature, the chain, the tree against all receipts')
    .option('--origin <origin>', 'only this log')
    .action(async (o) => (await import('./evidence-verify.ts')).verifyEvidence(o));
  verb(evidence, 'audit', 'show what the hourly audit of stored evidence found: changed, missing, added, hidden, weak')
    .option('--limit <n>', 'how many findings', wholeNumber, 50)
    .action(async (o) => (await import('./evidence-audit.ts')).showAudit(o));
  verb(evidence, 'export', 'write the bundle for an auditor: the logs of all appliances of a site')
    .requiredOption('--site <id>', 'which site')
    .requiredOption('--out <dir>', 'folder to make; it must not exist')
    .option(
      '--from <day>',
      'only what was observed from here on (2026-03-01, or a time in UTC); hashes stand for the rest',
    )
    .option('--to <day>', 'only what was observed up to here, that day included')
    .action(async (o) => (await import('./evidence-export-site.ts')).exportSite(o));
  verb(evidence, 'export-lines', 'write the exact stored lines of a log')
    .requiredOption('--origin <origin>', 'which log')
    .option('--out <file>', 'where to (default: standard output)')
    .action(async (o) => (await import('./evidence-export.ts')).exportLines(o));
  verb(evidence, 'checkpoints', 'write the cosigned checkpoints of a log, the last of each day')
    .requiredOption('--origin <origin>', 'which log')
    .option('--refused', 'what the witness refused instead: the requests as they came, and why')
    .action(async (o) => (await import('./evidence-checkpoints.ts')).listCheckpoints(o));
  return program;
}
