/**
 * Whether a host name fits a pattern: the name itself, or `*.example.com` for one or more labels in front.
 *
 * @param pattern in any case
 * @param hostname in lower case, without port
 */
export function hostMatches(pattern: string, hostname: string): boolean {
  const wanted = pattern.toLowerCase();
  if (!wanted.startsWith('*.')) return wanted === hostname;
  return hostname.length > wanted.length - 1 && hostname.endsWith(wanted.slice(1));
}

/**
 * The host name of a `Host` field (RFC 9110 section 7.2) in lower case, without port and final dot.
 *
 * @returns undefined when the field is not a valid `uri-host [ ":" port ]`
 */
export function hostnameOf(host: string): string | undefined {
  if (host.startsWith('[')) {
    const end = host.indexOf(']');
    if (end < 2 || !isPort(host, end + 1)) return undefined;
    for (let i = 1; i < end; i++) {
      if (!isIpv6Char(host.charCodeAt(i))) return undefined;
    }
    return host.slice(0, end + 1).toLowerCase();
  }
  const colon = host.indexOf(':');
  const end = colon === -1 ? host.length : colon;
  if (end === 0 || !isPort(host, end)) return undefined;
  for (let i = 0; i < end; i++) {
    if (!isHostChar(host.charCodeAt(i))) return undefined;
  }
  const name = host.slice(0, end).toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** Whether what follows at `from` is nothing, or a colon and a port of 0 to 65535. */
function isPort(host: string, from: number): boolean {
  if (from === host.length) return true;
  if (host.charCodeAt(from) !== 0x3a || host.length - from > 6) return false;
  for (let i = from + 1; i < host.length; i++) {
    const code = host.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return Number(host.slice(from + 1)) <= 65535;
}

/** Letters, digits, `-`, `.`, `_`: what names in use consist of; other characters of RFC 3986 section 3.2.2 are not. */
function isHostChar(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === 0x2e ||
    code === 0x5f
  );
}

function isIpv6Char(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x3a) ||
    (code >= 0x61 && code <= 0x66) ||
    (code >= 0x41 && code <= 0x46) ||
    code === 0x2e
  );
}
