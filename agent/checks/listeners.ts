// Compares listening sockets with those that the baseline declares. Shared by `firewall` (the machine) and `self` (the agent).
import { describeListeners, type Listener } from '../facts/proc-net.ts';
import type { DeclaredListener } from './baseline.ts';

/** So many are named in evidence; more are counted. */
const MAX_NAMED = 32;

/** An undeclared listener is one that no declared one covers; `any` covers the narrower scopes of the same port. */
export function undeclaredListeners(found: readonly Listener[], declared: readonly DeclaredListener[]): Listener[] {
  return found.filter(
    (socket) =>
      !declared.some(
        (d) =>
          d.protocol === socket.protocol && d.port === socket.port && (d.scope === socket.scope || d.scope === 'any'),
      ),
  );
}

/** `tcp-any-22`: sorted, each once, no addresses; at most 32 and then how many more. */
export function nameListeners(listeners: readonly Listener[]): string[] {
  const named = describeListeners(listeners);
  return named.length <= MAX_NAMED ? named : [...named.slice(0, MAX_NAMED), `and-${named.length - MAX_NAMED}-more`];
}
