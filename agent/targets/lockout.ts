// The lock-out guard: a secret that a domain has proven wrong is not tried again, on any target, whatever asks for it. An
// account that locks after five wrong passwords would otherwise be locked by one typing error on twenty-five machines. Pure.
import * as v from 'valibot';
import type { TargetInfo } from './target.ts';

/** Codes that prove a secret bad (agent/winrm). Everything else that keeps a logon from working is another cause. */
export const PROVEN_BAD = [
  'winrm_logon_failed',
  'winrm_account_locked',
  'winrm_account_disabled',
  'winrm_password_expired',
] as const;
export type ProvenBad = (typeof PROVEN_BAD)[number];

/** Waits after another cause (clock, service name, channel binding): doubled from the first to the last, per target. */
export const FIRST_WAIT_S = 5 * 60;
export const LONGEST_WAIT_S = 60 * 60;
/** A signed retry of one credential is taken once in this time. */
export const RETRY_EVERY_S = 24 * 3_600;
/** A try that nobody ended (the process died) counts as undecided after this time. Longer than any connection may take. */
export const TRIAL_LIFE_S = 10 * 60;
/**
 * One account is proven wrong at most so often within {@link ACCOUNT_WINDOW_S}, whatever number of credentials and versions
 * names it: below the threshold of five within 30 minutes that account policies commonly have.
 */
export const MAX_BAD_PER_ACCOUNT = 4;
export const ACCOUNT_WINDOW_S = 30 * 60;

const seconds = v.pipe(v.number(), v.safeInteger());
/** Written by any version before: accounts were spelt in more ways. */
const account = v.pipe(
  v.string(),
  v.transform((text) => oneSpelling(text)),
);
const credentialSchema = v.strictObject({
  account,
  credential_id: v.string(),
  version: seconds,
  /** `untried`: may be tried on one target. `good`: a target took it. `stopped`: proven wrong. */
  standing: v.picklist(['untried', 'good', 'stopped']),
  /** Why it is stopped. */
  code: v.nullable(v.picklist(PROVEN_BAD)),
  /** The one target that tries an `untried` one, and since when. */
  trial: v.nullable(v.strictObject({ target: v.string(), since: seconds })),
  /** Highest version ever proven wrong: that one and those below it stay stopped, whatever is handed out again. */
  bad_up_to: seconds,
  retried_at: v.nullable(seconds),
});
export type CredentialStanding = v.InferOutput<typeof credentialSchema>;

/** Everything that must survive a restart: accounts and credentials by id, times, codes. No secret. */
export const lockoutSchema = v.strictObject({
  credentials: v.array(credentialSchema),
  /** When an account was proven wrong, within the window. */
  bad: v.array(v.strictObject({ account, at: seconds })),
  /** Targets that wait after another cause. */
  waits: v.array(v.strictObject({ target: v.string(), failures: seconds, until: seconds })),
});
export type LockoutState = v.InferOutput<typeof lockoutSchema>;

export const NO_LOCKOUTS: LockoutState = { credentials: [], bad: [], waits: [] };
/** As many credentials and targets as are remembered; the longest unused are forgotten first, stopped ones last. */
const MAX_REMEMBERED = 512;

export type Credential = Pick<TargetInfo, 'principal' | 'domain' | 'credentialId' | 'credentialVersion'>;

export type TryVerdict =
  | { readonly may: 'try' }
  /** Until a new version or a signed retry. */
  | { readonly may: 'not'; readonly code: 'credential_stopped'; readonly cause: ProvenBad | null }
  /** Nothing is wrong with the secret as far as is known. `until`: Unix seconds, null while another target tries it. */
  | { readonly may: 'later'; readonly code: 'credential_waiting'; readonly until: number | null };

/** What a logon ended as: taken, proven wrong, another cause, or that none was begun: nothing of the secret left the appliance. */
export type Outcome = 'good' | ProvenBad | 'other' | 'no_logon';

/** The connection never came as far as a logon. The target may be looked for again at once: after a restart of it, say. */
const NO_LOGON: ReadonlySet<string> = new Set([
  'winrm_unreachable',
  'winrm_name_unresolved',
  'winrm_tls_failed',
  'winrm_tls_not_spoken',
  'winrm_ca_unknown',
  'winrm_certificate_self_signed',
  'winrm_certificate_name',
  'winrm_certificate_date',
  'winrm_pin_mismatch',
  'winrm_certificate_without_tls',
  'target_certificate_invalid',
  'target_certificate_purpose',
  'target_certificate_date',
]);

/** Takes the code of the error that a logon ended with; null: it worked. */
export function outcomeOf(code: string | null): Outcome {
  if (code === null) return 'good';
  return PROVEN_BAD.find((bad) => bad === code) ?? (NO_LOGON.has(code) ? 'no_logon' : 'other');
}

/**
 * What a wrong password locks: one account of a domain however it is spelt, or the accounts of one name that belong to one
 * credential where each machine has its own.
 */
export function accountOf({ principal, domain, credentialId }: Credential): string {
  const isWhole = domain === null || /[@\\]/.test(principal);
  const spelt = oneSpelling(isWhole ? principal : `${domain}\\${principal}`);
  return spelt.includes('\\') ? spelt : `${credentialId}:${spelt}`;
}

/** NetBIOS names are no longer (MS-NBTE); the usual one of a domain is cut out of its DNS name. */
const NETBIOS_LENGTH = 15;

/**
 * `user@lab.example`, `lab.example\user` and `LAB\user` as one: by the first label of the domain's name. Two domains of one first
 * label count as one too, which only makes for fewer tries. Text without a domain stays as it is. Idempotent.
 */
function oneSpelling(text: string): string {
  const lower = text.toLowerCase();
  const [, before, after] = /^([^\\]*)\\(.*)$/s.exec(lower) ?? [];
  const at = lower.lastIndexOf('@');
  const [domain, user] =
    before !== undefined ? [before, after] : at !== -1 ? [lower.slice(at + 1), lower.slice(0, at)] : [];
  if (domain === undefined) return lower;
  return `${(domain.split('.')[0] || domain).slice(0, NETBIOS_LENGTH)}\\${user}`;
}

/** Whether `credential` may be tried on `target` now (Unix seconds). */
export function mayTry(state: LockoutState, credential: Credential, target: string, now: number): TryVerdict {
  const known = find(state, credential);
  const stopped = stopOf(known, credential);
  if (stopped !== null) return stopped;
  const wait = state.waits.find((one) => one.target === target);
  // A clock that went back must not make a wait longer than any wait is.
  if (wait !== undefined && now < Math.min(wait.until, now + LONGEST_WAIT_S)) return later(wait.until);
  const sure = known?.version === credential.credentialVersion && known.standing === 'good';
  if (sure) return { may: 'try' };
  const bad = recentBad(state, accountOf(credential), now);
  if (bad.length >= MAX_BAD_PER_ACCOUNT) return later(Math.min(...bad) + ACCOUNT_WINDOW_S);
  return accountIsTried(state, accountOf(credential), now) ? later(null) : { may: 'try' };
}

/** To be kept before the first byte of the logon leaves: a process that dies must not leave more than one try behind. */
export function beginTry(state: LockoutState, credential: Credential, target: string, now: number): LockoutState {
  const known = find(state, credential);
  if (known?.version === credential.credentialVersion && known.standing === 'good') return state;
  const fresh = known?.version === credential.credentialVersion ? known : newStanding(credential, known);
  return put(state, { ...fresh, trial: { target, since: now } });
}

/** What the logon on `target` ended as. */
export function noteOutcome(
  state: LockoutState,
  credential: Credential,
  target: string,
  outcome: Outcome,
  now: number,
): LockoutState {
  const known = find(state, credential) ?? newStanding(credential, null);
  const { credentialVersion: version } = credential;
  if (outcome === 'no_logon') return endTrial(state, known, version, target);
  if (outcome === 'other') return noteOther(endTrial(state, known, version, target), target, now);
  const without = { ...state, waits: state.waits.filter((wait) => wait.target !== target) };
  if (outcome === 'good') {
    // A late word of an older version says nothing of the one in force.
    return known.version === version && known.standing !== 'stopped'
      ? put(without, { ...known, standing: 'good', trial: null })
      : without;
  }
  const badUpTo = Math.max(known.bad_up_to, version);
  const next: CredentialStanding =
    known.version > version
      ? { ...known, bad_up_to: badUpTo }
      : { ...known, version, standing: 'stopped', code: outcome, trial: null, bad_up_to: badUpTo };
  // Where a secret that was good is used on several machines as it goes bad, all of them say so: that is one proof.
  const isNews = !(known.version === version && known.standing === 'stopped');
  const proofs = isNews ? [{ account: known.account, at: now }] : [];
  const bad = [...without.bad.filter(({ at }) => isFresh(at, now, ACCOUNT_WINDOW_S)), ...proofs];
  return put({ ...without, bad: bad.slice(-MAX_REMEMBERED) }, next);
}

export type RetryVerdict =
  | { readonly retry: 'taken'; readonly state: LockoutState }
  | { readonly retry: 'refused'; readonly code: 'credential_not_stopped' | 'credential_retry_too_soon' };

/** A signed retry of one stopped credential: tried on one target again, once. */
export function retryCredential(
  state: LockoutState,
  asked: Pick<Credential, 'credentialId' | 'credentialVersion'>,
  now: number,
): RetryVerdict {
  const named = state.credentials.filter((one) => one.credential_id === asked.credentialId);
  const stopped = named.filter((one) => one.standing === 'stopped' && one.version === asked.credentialVersion);
  if (stopped.length === 0) return { retry: 'refused', code: 'credential_not_stopped' };
  // Also where T went back: a retry in the future was a retry.
  if (named.some(({ retried_at: at }) => at !== null && now - at < RETRY_EVERY_S)) {
    return { retry: 'refused', code: 'credential_retry_too_soon' };
  }
  const again = stopped.map((one): CredentialStanding => ({
    ...one,
    standing: 'untried',
    code: null,
    trial: null,
    bad_up_to: one.version - 1,
    retried_at: now,
  }));
  return { retry: 'taken', state: again.reduce(put, state) };
}

function stopOf(known: CredentialStanding | undefined, { credentialVersion }: Credential): TryVerdict | null {
  if (known === undefined) return null;
  if (credentialVersion > known.bad_up_to && !(known.standing === 'stopped' && known.version === credentialVersion)) {
    return null;
  }
  return { may: 'not', code: 'credential_stopped', cause: known.code };
}

/**
 * One try of an account at a time, whichever credential or target: each could be the last that the account has. A try whose
 * end is not known holds up its own target too, so that a process which dies with each logon does not lock the account.
 */
function accountIsTried(state: LockoutState, account: string, now: number): boolean {
  return state.credentials.some(
    ({ account: of, trial }) => of === account && trial !== null && isFresh(trial.since, now, TRIAL_LIFE_S),
  );
}

const later = (until: number | null): TryVerdict => ({ may: 'later', code: 'credential_waiting', until });
const isFresh = (since: number, now: number, lifeS: number): boolean => Math.abs(now - since) < lifeS;

const recentBad = (state: LockoutState, account: string, now: number): number[] =>
  state.bad.filter((one) => one.account === account && isFresh(one.at, now, ACCOUNT_WINDOW_S)).map(({ at }) => at);

function find(state: LockoutState, credential: Credential): CredentialStanding | undefined {
  const account = accountOf(credential);
  return state.credentials.find((one) => one.account === account && one.credential_id === credential.credentialId);
}

const newStanding = (credential: Credential, before: CredentialStanding | null | undefined): CredentialStanding => ({
  account: accountOf(credential),
  credential_id: credential.credentialId,
  version: credential.credentialVersion,
  standing: 'untried',
  code: null,
  trial: null,
  bad_up_to: before?.bad_up_to ?? 0,
  retried_at: before?.retried_at ?? null,
});

function put(state: LockoutState, next: CredentialStanding): LockoutState {
  const others = state.credentials.filter(
    (one) => one.account !== next.account || one.credential_id !== next.credential_id,
  );
  const kept = [...others, next];
  if (kept.length <= MAX_REMEMBERED) return { ...state, credentials: kept };
  const drop = kept.find((one) => one.standing !== 'stopped' && one.bad_up_to === 0) ?? kept[0];
  return { ...state, credentials: kept.filter((one) => one !== drop) };
}

function endTrial(state: LockoutState, known: CredentialStanding, version: number, target: string): LockoutState {
  const mine = known.version === version && known.trial?.target === target;
  return mine ? put(state, { ...known, trial: null }) : state;
}

function noteOther(state: LockoutState, target: string, now: number): LockoutState {
  const before = state.waits.find((wait) => wait.target === target);
  const failures = (before?.failures ?? 0) + 1;
  const until = now + Math.min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** Math.min(failures - 1, 10));
  const others = state.waits.filter((wait) => wait.target !== target);
  return { ...state, waits: [...others, { target, failures, until }].slice(-MAX_REMEMBERED) };
}
