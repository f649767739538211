#!/usr/bin/env -S node --disable-sigusr1
// Composition root: the only place where ports are built. `run` is the daemon; every other verb reads and ends.
import { join } from 'node:path';
import { runCli } from './cli/program.ts';
import { terminalOutput } from './cli/terminal-output.ts';
import { EXIT } from './errors/exit-codes.ts';
import type { LoadedConfig } from './config/load-config.ts';
import { loadChecks } from './daemon/load-checks.ts';
import { readBuildInfo } from './system/build-info.ts';
import { systemClock } from './system/clock.ts';
import { createExec } from './system/exec.ts';
import { createIds } from './system/ids.ts';

const packageDir = join(import.meta.dirname, '..');
const contentDir = join(packageDir, 'runbooks');
const build = readBuildInfo(packageDir);
const exec = createExec();
const ids = createIds(systemClock);

/** Only `run` loads the daemon, the service manager's socket and the log. */
async function startDaemon({ config, warnings }: LoadedConfig): Promise<number> {
  const [{ startDaemon: start }, { createNotify }, { createLog }, { systemTicker }] = await Promise.all([
    import('./daemon/start-daemon.ts'),
    import('./system/notify.ts'),
    import('./system/log.ts'),
    import('./system/ticker.ts'),
  ]);
  const log = createLog();
  log.setLevel(config.log_level);
  for (const warning of warnings) log.warn('configuration', { reason: warning });
  const notify = createNotify(process.env, (errno) => log.warn('service manager not told', { errno }));
  const ports = { clock: systemClock, ids, exec: exec, notify, ticker: systemTicker, log };
  // A defect ends the process, so that the service manager starts it anew; what was committed is safe.
  process.on('uncaughtException', (error) => {
    log.error('defect', { reason: String(error), stack: error.stack?.split('\n').slice(1, 6).join(' | ') });
    process.exit(EXIT.internal);
  });
  const daemon = start({ config, ports, build, contentDir });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => daemon.stop(signal));
  const code = await daemon.stopped;
  // A stage that ignored its abort must not keep the process: what is committed is safe, and the next start goes on from it.
  if (code !== EXIT.ok) process.exit(code);
  return code;
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: terminalOutput(process.stdout),
  stderr: terminalOutput(process.stderr),
  env: process.env,
  clock: systemClock,
  exec: exec,
  ids,
  build,
  startDaemon,
  stopSignal,
  contentDir,
  loadChecks: (baselinePath) => loadChecks(contentDir, baselinePath),
});
