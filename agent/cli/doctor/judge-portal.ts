// Is there a page that wants a click or a password before the network opens? Pure.
import type { HttpLook } from './ask-http.ts';
import { ok, problem, quoted, type Verdict } from './verdict.ts';

export interface PortalInputs {
  readonly hostname: string;
  /** What plain HTTP at that name said; null where nothing did. */
  readonly look: HttpLook | null;
  /** Central Command's pinned certificate was seen: nobody stands in between. */
  readonly tlsReached: boolean;
}

/** RFC 6585, section 6. */
const NETWORK_AUTHENTICATION_REQUIRED = 511;
const PAGE = /^\s*<(?:!doctype\s+html|html|head|body|script|meta)[\s>]/i;
const REFRESH = /<meta[^>]+http-equiv=["']?refresh/i;

export function judgePortal({ hostname, look, tlsReached }: PortalInputs): Verdict {
  if (tlsReached) return ok('the certificate of Central Command came through, so no portal holds the network closed');
  if (look === null) return ok('no web page answers in place of Central Command');
  const where = redirectedTo(look, hostname);
  const portal = (seen: string): Verdict =>
    problem(
      {
        code: 'captive_portal',
        sentence: `plain HTTP to ${hostname} ${seen}`,
        meaning: 'this network is closed until somebody signs in on a web page, which an appliance cannot do',
        remedy: 'have the MAC address of this machine admitted without the page, or use another network',
      },
      { breaks: false },
    );
  if (look.status === NETWORK_AUTHENTICATION_REQUIRED) return portal('is answered with "sign in to the network" (511)');
  if (where !== null) return portal(`is redirected to ${quoted(where, 80)}`);
  const isPage = look.mediaType === 'text/html' || PAGE.test(look.body);
  if (look.status === 200 && isPage) {
    return portal(`is answered with a web page${REFRESH.test(look.body) ? ' that leads on to another' : ''}`);
  }
  return ok('plain HTTP is answered, and not by a page to sign in');
}

/** The other host that a redirect leads to; null for none, and for one to the same host (http to https). */
function redirectedTo(look: HttpLook, hostname: string): string | null {
  if (look.location === null || look.status < 300 || look.status > 399) return null;
  const url = URL.parse(look.location, `http://${hostname}/`);
  if (url === null) return look.location;
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase() === hostname.toLowerCase() ? null : url.host;
}
