// Runs one runbook on a lab machine, from a developer's checkout. What it may run is signed all the same: by a trust root whose
// partner is `lab`, which no appliance of a clinic has. Nothing of this file is in the package.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { AgentError } from '../../errors/agent-error.ts';
import { EXIT } from '../../errors/exit-codes.ts';
import { WINDOWS_CHECKS } from '../../checks/windows/registry.ts';
import { loadRunbook } from '../../execution/load-runbook.ts';
import { judgeRunbookParams } from '../../execution/order-params.ts';
import { runRunbook } from '../../execution/run-runbook.ts';
import { identifyingRunner } from '../../execution/identifying-runner.ts';
import { createKnownMachines } from '../../execution/known-machines.ts';
import { isForWindows, type ExecutorDeps, type WindowsLoaded } from '../../execution/run-request.ts';
import { createTargetLocks } from '../../execution/target-locks.ts';
import { winRmRunner } from '../../execution/winrm-runner.ts';
import { openStore } from '../../store/open-store.ts';
import { createLog } from '../../system/log.ts';
import { createLockoutGuard } from '../../targets/lockout-guard.ts';
import type { Target } from '../../targets/target.ts';
import { openContentList, runbookClass } from '../../trust/content-list.ts';
import { parseRoot } from '../../trust/root.ts';
import { targetsSchema } from '../../wire/schemas/checkin.ts';
import type { Finding } from '../../wire/schemas/finding.ts';
import { openWinRmSession } from '../../winrm/open-session.ts';
import { nowSeconds, type CliContext } from '../deps.ts';
import { print } from '../print.ts';
import type { RunbookRunOptions } from '../runbook-run-options.ts';

/** The password of the lab machine; never an argument, which every user of this machine could read. */
const SECRET_VARIABLE = 'COMPLIANCE_AGENT_LAB_SECRET';
const LAB_PARTNER = 'lab';

export async function runRunbookHere(context: CliContext, folder: string, o: RunbookRunOptions): Promise<number> {
  const loaded = loadRunbook(folder, WINDOWS_CHECKS);
  const check = WINDOWS_CHECKS.find(({ id }) => id === loaded.runbook.check);
  if (!isForWindows(loaded) || check === undefined) {
    throw new AgentError('runbook_not_for_platform', 'only Windows runbooks run on a target', { place: folder });
  }
  const params = judgeRunbookParams(
    loaded.runbook,
    o.action === undefined ? { action: 'detect' } : { action: o.action },
  );
  if (!params.fits) throw new AgentError('usage', '--action is detect, remediate or rollback');
  const listedClass = classInLab(context, loaded, required(o.root, '--root'), required(o.content, '--content'));
  const target = readTarget(required(o.target, '--target'), context.env[SECRET_VARIABLE]);
  const stateDir = mkdtempSync(join(tmpdir(), 'compliance-agent-lab-'));
  const store = openStore({ dir: stateDir, clock: context.clock });
  const findings: Finding[] = [];
  const entries: object[] = [];
  const log = createLog({ level: 'warn', format: 'terminal', write: (line) => context.stderr.write(line) });
  const machines = createKnownMachines({ store, clock: context.clock, log });
  const deps: ExecutorDeps = {
    store,
    evidence: {
      // No device key, no log: what would be signed on an appliance is shown.
      append: (kind, body) => ({ seq: entries.push({ kind, ...body }) - 1, digest: '', body }),
    },
    runner: identifyingRunner(
      winRmRunner({
        open: openWinRmSession,
        guard: createLockoutGuard({ store, nowT: () => nowSeconds(context) }),
        clock: context.clock,
        ids: context.ids,
        log,
      }),
      machines,
    ),
    machines,
    targets: { lease: (id) => (id === target.id ? { target, release: () => target.secret.fill(0) } : null) },
    locks: createTargetLocks(),
    clock: context.clock,
    ids: context.ids,
    log,
    circumstances: () => ({
      ...{ listedClass, windowOpen: true, clockSound: true, healingPaused: false, nowT: nowSeconds(context) },
    }),
    waivers: () => [],
    recordFindings: (given) => void findings.push(...given),
  };
  try {
    const request = { loaded, check, targetId: target.id, ...params, link: {} };
    const result = await runRunbook(
      { ...request, dryRun: o.dryRun === true, pinnedIdentity: null, windowOverridden: false },
      deps,
      new AbortController().signal,
    );
    print(context, 'runbook-run', { result, findings, entries }, () => [
      ...findings.map(({ result: seen, sentence }) => `${check.id}: ${seen}: ${sentence}`),
      `${result.outcome}${result.code === null ? '' : ` (${result.code})`}: ${result.sentence}`,
    ]);
    return result.outcome === 'success' || result.outcome === 'dry_run' ? EXIT.ok : EXIT.drift;
  } finally {
    store.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new AgentError('usage', `${option} is missing`);
  return value;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new AgentError('usage', 'the file cannot be read', { place: path, cause });
  }
}

function classInLab(context: CliContext, loaded: WindowsLoaded, rootPath: string, contentPath: string) {
  const { root } = parseRoot(readText(rootPath), { place: rootPath });
  if (root.partner_id !== LAB_PARTNER) {
    throw new AgentError('runbook_not_lab', `the root is of ${root.partner_id}`, { place: rootPath });
  }
  const { value } = openContentList(root, readText(contentPath), {
    currentVersion: null,
    now: nowSeconds(context),
    place: contentPath,
  });
  return runbookClass(value, { ...loaded.runbook, sha256: loaded.sha256 });
}

const { secret: _where, ...plainTarget } = targetsSchema.entries.targets.pipe[0].item.entries;
const targetFile = v.strictObject(plainTarget);

function readTarget(path: string, secret: string | undefined): Target {
  if (secret === undefined) throw new AgentError('usage', `the environment variable ${SECRET_VARIABLE} is missing`);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), targetFile), readText(path));
  if (!parsed.success) throw new AgentError('schema_invalid', parsed.issues[0].message, { place: path });
  const { credential_id: credentialId, credential_version: credentialVersion, ...rest } = parsed.output;
  return { ...rest, credentialId, credentialVersion, secret: Buffer.from(secret) };
}
