// HTTP answers that are no answers of WS-Management → codes with a cause. Pure.
import { AgentError } from '../errors/agent-error.ts';
import type { HttpAnswer } from './http-exchange.ts';

/** What the logon had shown when it was refused. */
export type Shown = 'nothing' | 'ntlm' | 'kerberos' | 'basic';

/** A 401 during a logon. */
export function refusedLogon(answer: HttpAnswer, scheme: string, shown: Shown, place: string): AgentError {
  const offered = schemesOf(answer.challenges);
  const details = { offered: offered.join(' '), shown };
  if (answer.viaProxy) return proxyBetween(answer, place);
  const isOffered = offered.some((name) => name.toLowerCase() === scheme.toLowerCase());
  if (shown === 'nothing' || (shown === 'basic' && offered.length > 0 && !isOffered)) {
    const words = isOffered
      ? `the service offers ${scheme} and does not go on with it`
      : `the service offers ${offered.join(', ') || 'no authentication'}, and the target asks for ${scheme}`;
    return new AgentError('winrm_auth_not_offered', words, { place, details });
  }
  if (shown === 'kerberos') {
    return new AgentError('winrm_ticket_refused', 'the host refused the Kerberos ticket', { place, details });
  }
  return new AgentError('winrm_logon_failed', 'the host refused the user name or the password', { place, details });
}

/** A 401 to a request whose connection has a client certificate; `asked`: the host has asked for it. */
export function refusedCertificateLogon(answer: HttpAnswer, asked: boolean, place: string): AgentError {
  if (answer.viaProxy) return proxyBetween(answer, place);
  const details = { offered: schemesOf(answer.challenges).join(' ') };
  return asked
    ? new AgentError('winrm_client_certificate_unmapped', 'the host logs nobody on with this certificate', {
        place,
        details,
      })
    : new AgentError('winrm_client_certificate_not_asked', 'the host asked for no certificate', { place, details });
}

/** Any answer that is no answer of WS-Management. */
export function unexpectedStatus(answer: HttpAnswer, place: string): AgentError {
  const { status } = answer;
  const details = { status };
  if (status === 407 || answer.viaProxy) return proxyBetween(answer, place);
  if (status === 401 || (status === 400 && answer.body.length === 0)) {
    return new AgentError('winrm_session_lost', `the host does not know the session any more (${status})`, {
      place,
      details,
    });
  }
  if (status === 403) {
    return new AgentError('winrm_access_denied', 'the host refuses this user or this address (403)', {
      place,
      details,
    });
  }
  const html = /^\s*text\/html\b/i.test(answer.contentType);
  if (status === 404 || status === 405 || (status >= 200 && status < 400) || (html && status < 500)) {
    return new AgentError('winrm_not_wsman', `what answers there is no WS-Management service (${status})`, {
      place,
      details,
    });
  }
  return new AgentError('winrm_http_failed', `the host answered with HTTP status ${status}`, { place, details });
}

function proxyBetween({ status }: HttpAnswer, place: string): AgentError {
  return new AgentError('winrm_proxy_between', `a proxy takes part in the connection (${status})`, {
    place,
    details: { status },
  });
}

/** Names of the schemes in `WWW-Authenticate` fields; parameters and tokens are left out. */
export function schemesOf(challenges: readonly string[]): string[] {
  const names = challenges.flatMap((field) =>
    Array.from(
      field.matchAll(/(?:^|,)\s*([A-Za-z][\w-]{1,30})(?=\s*(?:,|$)|\s+[^=\s]|\s+\w+=)/g),
      (found) => found[1]!,
    ),
  );
  return [...new Set(names)].slice(0, 8);
}
