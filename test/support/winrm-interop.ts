// Which WinRM endpoint the interop suite speaks with: one that the environment names, a Windows server for instance, or the
// independent lab server that `WINRM_LAB` names (the path of its `lab` script).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint, TlsTrust } from '../../agent/winrm/endpoint.ts';
import type { Credentials } from '../../agent/winrm/security-context.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface InteropTarget {
  readonly env: Environment;
  readonly http: Endpoint | null;
  readonly https: Endpoint | null;
  readonly credentials: Credentials & { readonly kind: 'ntlm' };
  /** Of the lab server only; null where a real server is tested. */
  readonly control: LabControl | null;
  stop(): void;
}

/** Why there is nothing to speak with; null where there is. */
export function noInteropTarget(env: Environment = process.env): string | null {
  if (env['WINRM_TEST_HTTP_URL'] !== undefined || env['WINRM_TEST_HTTPS_URL'] !== undefined) return null;
  return env['WINRM_LAB'] === undefined
    ? 'neither WINRM_TEST_HTTP_URL, WINRM_TEST_HTTPS_URL nor WINRM_LAB is set'
    : null;
}

/** Starts the lab server if no endpoint is named. */
export async function openInteropTarget(env: Environment = process.env): Promise<InteropTarget> {
  if (env['WINRM_LAB'] !== undefined && env['WINRM_TEST_HTTP_URL'] === undefined) return startLab(env['WINRM_LAB']);
  return targetFrom(env, () => undefined);
}

/** `options` of `lab start`. */
export async function startLab(script: string, options: readonly string[] = []): Promise<InteropTarget> {
  const state = mkdtempSync(join(tmpdir(), 'winrm-lab-'));
  const [http, https, control, kdc] = await freePorts(4);
  const env = {
    ...process.env,
    WINRM_LAB_STATE: state,
    WINRM_LAB_HTTP_PORT: String(http),
    WINRM_LAB_HTTPS_PORT: String(https),
    WINRM_LAB_CONTROL_PORT: String(control),
    WINRM_LAB_KDC_PORT: String(kdc),
    WINRM_LAB_START_TIMEOUT: '60',
  };
  const lab = (verb: string, ...more: readonly string[]): string =>
    execFileSync(script, [verb, ...more], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => {
    lab('stop');
    rmSync(state, { recursive: true, force: true });
  };
  try {
    lab('start', ...options);
    const lines = lab('env').matchAll(/^export (\w+)='(.*)'$/gm);
    return targetFrom(Object.fromEntries(Array.from(lines, ([, name, value]) => [name, value])), stop);
  } catch (error) {
    stop();
    throw error;
  }
}

function targetFrom(env: Environment, stop: () => void): InteropTarget {
  const controlUrl = env['WINRM_TEST_CONTROL_URL'];
  return {
    env,
    http: endpointFrom(env['WINRM_TEST_HTTP_URL'], env),
    https: endpointFrom(env['WINRM_TEST_HTTPS_URL'], env),
    credentials: ntlmOf(required(env, 'WINRM_TEST_USER'), required(env, 'WINRM_TEST_PASSWORD')),
    control: controlUrl === undefined ? null : new LabControl(controlUrl),
    stop,
  };
}

/** `DOMAIN\user` or `user@domain`. */
export function ntlmOf(name: string, password: string): Credentials & { readonly kind: 'ntlm' } {
  const [domain, user] = name.includes('\\') ? name.split('\\') : ['', name];
  return { kind: 'ntlm', user: user!, domain: domain!, password: Buffer.from(password) };
}

function endpointFrom(text: string | undefined, env: Environment): Endpoint | null {
  if (text === undefined) return null;
  const url = new URL(text);
  const at = {
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (url.protocol === 'https:' ? 5986 : 5985)),
    path: url.pathname,
  };
  return url.protocol === 'https:' ? { scheme: 'https', ...at, tls: trustFrom(env) } : { scheme: 'http', ...at };
}

function trustFrom(env: Environment): TlsTrust {
  const pin = env['WINRM_TEST_SPKI_SHA256'];
  const ca = env['WINRM_TEST_CA'];
  if (pin !== undefined) return { kind: 'spki', pins: [pin.toLowerCase()] };
  return ca === undefined ? { kind: 'system' } : { kind: 'ca', caPem: readFileSync(ca, 'utf8') };
}

function required(env: Environment, name: string): string {
  const value = env[name];
  if (value === undefined) throw new Error(`${name} must be set beside the URL`);
  return value;
}

export interface LabStats {
  readonly stats: Readonly<Record<string, number>>;
  readonly live_shells: number;
}

/** The control port of the lab server. */
export class LabControl {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async stats(): Promise<LabStats> {
    return (await (await fetch(`${this.#url}/stats`)).json()) as LabStats;
  }

  /** Counters to zero, the configuration as it was started, and then these keys of it. */
  async configure(changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await fetch(`${this.#url}/defaults`, { method: 'POST' });
    await fetch(`${this.#url}/reset`, { method: 'POST' });
    const answer = await fetch(`${this.#url}/config`, { method: 'POST', body: JSON.stringify(changes) });
    if (!answer.ok) throw new Error(await answer.text());
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map(async (server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map(async (server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
