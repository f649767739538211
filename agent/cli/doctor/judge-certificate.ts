// Whose certificate stood at Central Command's address? Pure.
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { ErrorCode } from '../../errors/codes.ts';
import { descendsFromPin } from '../../https/pin-check.ts';
import { splitPem } from '../../https/pinned-tls.ts';
import { translateFailure } from '../../https/translate-failure.ts';
import type { CertificateLook } from './look-at-certificate.ts';
import { ok, problem, problemsOr, quoted, type Problem, type Verdict } from './verdict.ts';

const MEANING =
  'the agent refuses the connection and sends nothing: no check-in, no orders, no upload; evidence waits here';
const DAY_MS = 86_400_000;

export interface CertificateInputs {
  readonly look: CertificateLook;
  /** As in the URL, for messages. */
  readonly host: string;
  readonly hostname: string;
  readonly caPem: string;
  readonly caPins: readonly string[];
  readonly nowMs: number;
}

export function judgeCertificate(inputs: CertificateInputs): Verdict {
  const { look, host, hostname, nowMs } = inputs;
  if (!look.seen) return problem(whyNoHandshake(look.why, host));
  const [leaf, ...others] = look.chain.flatMap(parsed);
  if (leaf === undefined) {
    return problem(unsaid('tls_failed', `${host} showed a certificate that cannot be read`, 'look for TLS inspection'));
  }
  const issuer = nameOf(leaf.issuer);
  const authorities = splitPem(inputs.caPem).map((pem) => new X509Certificate(pem));
  const pinned = descendsFromPin(leaf, [...others, ...authorities], new Set(inputs.caPins));
  if (!pinned)
    return problem(
      stranger(
        host,
        leaf,
        issuer,
        authorities.map((ca) => nameOf(ca.subject)),
      ),
    );
  const problems: Problem[] = [];
  const known = isIP(hostname) === 0 ? leaf.checkHost(hostname) : leaf.checkIP(hostname);
  if (known === undefined) {
    problems.push(
      unsaid(
        'tls_name_mismatch',
        `${host} is a server of the right issuer, but its certificate is for ${quoted(leaf.subjectAltName ?? 'no name')}`,
        'correct central_url, or let Central Command serve this name (central-command serve --url)',
      ),
    );
  }
  const dates = dateProblem(leaf, host, nowMs);
  if (dates !== null) problems.push(dates);
  if (look.protocol !== 'TLSv1.3') {
    problems.push(
      unsaid(
        'tls_failed',
        `${host} speaks ${quoted(look.protocol, 20)} at most, and the agent needs TLS 1.3`,
        'let nothing terminate TLS in front of Central Command, or raise its version there',
      ),
    );
  }
  const until = leaf.validToDate.toISOString().slice(0, 10);
  return problemsOr(problems, ok(`the certificate of ${host} is from the pinned CA ${issuer}, valid until ${until}`));
}

function parsed(der: Buffer): X509Certificate[] {
  try {
    return [new X509Certificate(der)];
  } catch {
    return [];
  }
}

const unsaid = (code: ErrorCode, sentence: string, remedy: string): Problem => ({
  code,
  sentence,
  meaning: MEANING,
  remedy,
});

/** `Fortinet, FG100 CA`: organisation and common name of a distinguished name in Node's spelling (one `X=…` a line). */
export function nameOf(distinguishedName: string): string {
  const field = (key: string): string | undefined =>
    distinguishedName
      .split('\n')
      .find((line) => line.startsWith(`${key}=`))
      ?.slice(key.length + 1);
  const parts = [field('O'), field('CN')].filter((part) => part !== undefined && part !== '');
  return `"${quoted(parts.length === 0 ? distinguishedName.replaceAll('\n', ', ') : [...new Set(parts)].join(', '))}"`;
}

function stranger(host: string, leaf: X509Certificate, issuer: string, expected: readonly string[]): Problem {
  const own = leaf.issuer === leaf.subject;
  const by = own ? `made its certificate itself (${issuer})` : `shows a certificate issued by ${issuer}`;
  const since = Math.round((Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / DAY_MS);
  return {
    code: 'tls_untrusted',
    sentence: `what answers as ${host} ${by}, not by ${expected.join(' or ') || 'the pinned CA'} (valid for ${since} days)`,
    meaning: `something opens TLS on the way (a firewall with TLS inspection, a virus scanner, a captive portal), or this is another server. ${MEANING[0]?.toUpperCase() ?? ''}${MEANING.slice(1)}`,
    remedy: `except ${host} from TLS inspection in the device of ${issuer}; if there is none, check central_url and ca.pem`,
  };
}

function dateProblem(leaf: X509Certificate, host: string, nowMs: number): Problem | null {
  const [from, to] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  if (nowMs >= from && nowMs < to) return null;
  const early = nowMs < from;
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  return unsaid(
    'tls_date_invalid',
    `this machine's clock says ${day(nowMs)}, and the certificate of ${host} ${early ? `begins only on ${day(from)}` : `ended on ${day(to)}`}`,
    early
      ? 'set the clock of this machine'
      : 'check the clock of this machine; if it is right, renew the certificate of Central Command',
  );
}

/** OpenSSL's words for an answer that is no TLS record at all. */
const NOT_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_UNEXPECTED_MESSAGE',
]);

function whyNoHandshake(why: string, host: string): Problem {
  if (why === 'timeout') {
    return unsaid(
      'tls_failed',
      `${host} takes the connection and then says nothing`,
      'look for a firewall that holds TLS back, and at the load of Central Command',
    );
  }
  if (NOT_TLS.has(why)) {
    return unsaid(
      'tls_failed',
      `${host} answers with something that is not TLS (${why})`,
      'check the port in central_url; a captive portal or a plain web server may answer there',
    );
  }
  if (why === 'ECONNRESET' || why === 'EPIPE') {
    return unsaid(
      'tls_failed',
      `the connection to ${host} is cut as soon as TLS begins`,
      `a firewall may forbid the server's name: have ${host} allowed there`,
    );
  }
  const { code, message, remedy } = translateFailure({ code: why }, { host, phase: 'handshake' });
  return unsaid(code, message, remedy);
}
