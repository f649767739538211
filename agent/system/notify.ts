// Talks to systemd: readiness, status, watchdog (sd_notify(3)).
import type { Notify } from './ports.ts';
import { openDatagramSender, type SendDatagram } from './unix-datagram.ts';

/** systemd shows the first line only; longer texts are cut. */
const MAX_STATUS_CHARS = 500;

/** What systemd put into the environment for this process. */
export interface NotifySettings {
  readonly socket: string | null;
  readonly watchdogMs: number | null;
}

/** Pure: reads NOTIFY_SOCKET and WATCHDOG_* as sd_watchdog_enabled(3) says. */
export function notifySettings(environment: NodeJS.ProcessEnv, pid: number): NotifySettings {
  const socket = environment.NOTIFY_SOCKET;
  const usec = Number(environment.WATCHDOG_USEC);
  const forUs = environment.WATCHDOG_PID === undefined || environment.WATCHDOG_PID === String(pid);
  return {
    socket: socket !== undefined && /^[/@]./.test(socket) ? socket : null,
    watchdogMs: forUs && Number.isSafeInteger(usec) && usec > 0 ? Math.floor(usec / 1000) : null,
  };
}

/**
 * Takes the settings out of `environment` (children must not speak in our name) and returns the port. Without a socket
 * all calls do nothing and the native library is never loaded.
 * @param onFailure called with the system's error number when a message could not be delivered
 */
export function createNotify(
  environment: NodeJS.ProcessEnv = process.env,
  onFailure: (errno: number) => void = () => undefined,
): Notify {
  const settings = notifySettings(environment, process.pid);
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  const path = settings.socket;
  if (path === null) {
    const nothing = (): void => undefined;
    return { ready: nothing, watchdog: nothing, status: nothing, stopping: nothing, watchdogMs: null };
  }
  let sender: SendDatagram | undefined;
  /** States that a full queue kept back; lost readiness would mean a start timeout. */
  let undelivered: string[] = [];
  const tell = (state: string): void => {
    sender ??= openDatagramSender(path);
    const message = [...undelivered, state].join('\n');
    const errno = sender(Buffer.from(message, 'utf8'));
    if (errno === 0) {
      undelivered = [];
      return;
    }
    if (state !== 'WATCHDOG=1' && undelivered.length < 4) undelivered.push(state);
    onFailure(errno);
  };
  return {
    ready: () => tell('READY=1'),
    watchdog: () => tell('WATCHDOG=1'),
    // A line feed would start another assignment (MAINPID=…), so none is let through.
    // eslint-disable-next-line no-control-regex
    status: (text) => tell(`STATUS=${text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, MAX_STATUS_CHARS)}`),
    stopping: () => tell('STOPPING=1'),
    watchdogMs: settings.watchdogMs,
  };
}
