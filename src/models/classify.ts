import { gather, type Evidence } from './evidence.ts';
import { ModelFailure, type FailureClass } from './contract.ts';
import { retryAfterOfHeaders, retryAfterOfText } from './retry-after.ts';

export interface Classification {
  readonly class: FailureClass;
  readonly status?: number;
  /** How long the provider asks to be left alone. Milliseconds from the `nowMs` handed in. */
  readonly retryAfterMs?: number;
}

type Rule = readonly [RegExp, FailureClass];

/** System, undici and TLS codes. A timeout is told apart from a refusal because its cooldown differs. */
const SYSTEM_CODES: readonly Rule[] = [
  [/^(etimedout|esockettimedout|und_err_(connect|headers|body)_timeout)$/, 'timeout'],
  [
    /^(econn(refused|reset|aborted)|e(host|net)(unreach|down)|enetreset|ehostdown|enotfound|eai_\w+|epipe|eproto)$/,
    'network',
  ],
  [/^(und_err_(socket|closed|destroyed|connect\w*)|err_(tls|ssl)_\w+|cert_\w+|hpe_\w+)$/, 'network'],
  [
    /^(depth_zero_self_signed_cert|self_signed_cert_in_chain|unable_to_\w+|err_stream_premature_close)$/,
    'network',
  ],
];

/** What providers put into `code` or `type`. Checked before prose, because prose quotes things. */
const API_CODES: readonly Rule[] = [
  [
    /^(insufficient_quota|billing_\w+|payment_required|insufficient_(credits|balance)|quota_exhausted)$/,
    'billing',
  ],
  [/^(context_length_exceeded|request_too_large|string_above_max_length)$/, 'context_overflow'],
  [
    /^(content_filter|content_policy_violation|responsibleaipolicyviolation|moderation_\w+)$/,
    'content_policy',
  ],
  [/^(rate_?limit\w*|too_many_requests|resource_exhausted|throttl\w+|requests|tokens)$/, 'rate_limit'],
  [/^(overloaded(_error)?|engine_overloaded\w*|unavailable|model_overloaded)$/, 'overloaded'],
  [
    /^(invalid_api_key|authentication_error|permission_error|unauthenticated|permission_denied|deactivated_workspace)$/,
    'auth',
  ],
  [/^(model_not_found|not_found_error|deploymentnotfound|model_not_available)$/, 'not_found'],
  [/^(server_error|api_error|internal(_server)?_error|upstream_error)$/, 'server'],
  [/^(timeout(_error)?|deadline_exceeded|request_timeout)$/, 'timeout'],
  [/^(invalid_request_error|unknown_parameter|invalid_argument|invalid_prompt|invalid_type)$/, 'format'],
];

const NAMES: readonly Rule[] = [
  [/^(AI_LoadAPIKeyError|AI_LoadSettingError)$/, 'auth'],
  [/^AI_NoSuch(Model|Provider)\w*$/, 'not_found'],
  [/^AI_(InvalidPromptError|InvalidArgumentError|UnsupportedFunctionalityError)$/, 'format'],
  [
    /^AI_(InvalidResponseDataError|JSONParseError|TypeValidationError|EmptyResponseBodyError|NoContentGeneratedError)$/,
    'interrupted',
  ],
];

const OVERFLOW =
  /context[ _]length|maximum context|context window|prompt is too long|input is too long|too many (?:input )?tokens in|request too large .*tokens per min|exceeds? the (?:model's )?max(?:imum)? (?:number of )?(?:input )?tokens/;
const BILLING =
  /insufficient (?:credits|balance|funds|quota)|credit balance|payment required|plans & billing|billing (?:details|hard limit|limit)|out of (?:credits|budget)|used all available credits|spend(?:ing)? limit|account is not active.*billing/;
const RATE =
  /rate[ _-]?limit|too many (?:concurrent )?requests|resource (?:has been )?exhausted|quota exceeded|exceeded your current quota|usage limit|throttl(?:ed|ing)|tokens per (?:min|day)|(?:http|status|error|code)[ :]*429\b/;
const OVERLOADED =
  /overloaded|at capacity|(?:over|out of) capacity|high demand|service (?:is )?(?:temporarily )?unavailable|server is busy/;
const POLICY =
  /content (?:policy|management policy|filter)|safety (?:system|policy)|violat\w+ .*(?:policy|policies|terms)|flagged by/;
const AUTH =
  /(?:invalid|incorrect|missing|revoked|expired|disabled|no) (?:api[ _-]?key|token|credentials?)|api[ _-]?key (?:not valid|is invalid|expired|revoked|not found)|unauthori[sz]ed|could not authenticate|insufficient permissions?|missing scopes/;
const NOT_FOUND =
  /model\b.*(?:not found|does not exist|not available|is deprecated|has been (?:retired|deprecated))|unknown model|no such model/;

/** Prose, in order of how sure it is. Bare numbers are left out: they match ids and token counts. */
const TEXTS: readonly Rule[] = [
  [OVERFLOW, 'context_overflow'],
  [BILLING, 'billing'],
  [RATE, 'rate_limit'],
  [OVERLOADED, 'overloaded'],
  [POLICY, 'content_policy'],
  [AUTH, 'auth'],
  [NOT_FOUND, 'not_found'],
  [/internal server error|bad gateway|upstream (?:connect )?error|error occurred while processing/, 'server'],
  [/timed? ?out|deadline exceeded|without sending (?:any )?chunks/, 'timeout'],
  [
    // The last one is what Anthropic's SDK says of a stream whose very first event is no JSON.
    /stream (?:ended|disconnected|closed)|premature close|without a finish reason|^terminated$|normalized anthropic stream error/m,
    'interrupted',
  ],
  [
    /fetch failed|socket hang up|other side closed|network (?:error|request failed)|connection (?:error|refused|reset)/,
    'network',
  ],
  [/string should match pattern|tool_use_?\.?id|invalid request format|roles must alternate/, 'format'],
];

/** The status alone. What is not named here is decided by the text. */
const STATUS: Readonly<Record<number, FailureClass>> = {
  400: 'format',
  401: 'auth',
  402: 'billing',
  403: 'auth',
  404: 'not_found',
  405: 'not_found',
  407: 'auth',
  408: 'timeout',
  409: 'server',
  410: 'not_found',
  413: 'context_overflow',
  415: 'format',
  422: 'format',
  425: 'overloaded',
  429: 'rate_limit',
  451: 'content_policy',
  499: 'timeout',
  503: 'overloaded',
  504: 'timeout',
  522: 'timeout',
  524: 'timeout',
  529: 'overloaded',
};

/** For each status with more than one meaning: what the text may turn it into. */
const MAY_BECOME: Readonly<Record<number, readonly FailureClass[]>> = {
  400: ['context_overflow', 'billing', 'rate_limit', 'content_policy', 'auth', 'not_found', 'overloaded'],
  401: ['billing'],
  402: ['rate_limit'],
  403: ['billing', 'rate_limit', 'content_policy', 'not_found'],
  404: ['billing'],
  413: ['rate_limit'],
  422: ['context_overflow', 'billing', 'content_policy', 'auth', 'not_found'],
  429: ['context_overflow', 'billing', 'overloaded'],
  500: ['overloaded', 'rate_limit', 'context_overflow'],
  503: ['server', 'rate_limit'],
};

function allMatches(rules: readonly Rule[], values: readonly string[]): FailureClass[] {
  return rules.filter(([pattern]) => values.some((value) => pattern.test(value))).map(([, found]) => found);
}

function byStatus(status: number, evidence: Evidence): FailureClass | undefined {
  const base = STATUS[status] ?? (status >= 500 ? 'server' : undefined);
  if (base === undefined) return undefined;
  const allowed = MAY_BECOME[status] ?? [];
  const said = [...allMatches(API_CODES, evidence.codes), ...allMatches(TEXTS, [evidence.text])];
  // A request that can never fit the per-minute ceiling is a matter of size, whatever its code says.
  if (allowed.includes('context_overflow') && OVERFLOW.test(evidence.text)) return 'context_overflow';
  return said.find((found) => allowed.includes(found)) ?? base;
}

function isAbort(evidence: Evidence): boolean {
  return evidence.names.some((name) => name === 'AbortError' || name === 'ResponseAborted');
}

/** No usable status: names and codes first, prose last. */
function byEvidence(evidence: Evidence): FailureClass {
  if (evidence.names.includes('TimeoutError')) return 'timeout';
  const system = allMatches(SYSTEM_CODES, evidence.codes)[0];
  // The answer had begun (status 2xx) and the connection went: the stream was cut, the network as such is there.
  const begun = evidence.status !== undefined && evidence.status < 300;
  if (system === 'network' && begun) return 'interrupted';
  if (system !== undefined) return system;
  if (isAbort(evidence)) return 'aborted';
  const named = allMatches(API_CODES, evidence.codes)[0] ?? allMatches(NAMES, evidence.names)[0];
  if (named !== undefined) return named;
  const said = allMatches(TEXTS, [evidence.text])[0];
  return said === 'network' && begun ? 'interrupted' : (said ?? 'unknown');
}

function fromFailure(failure: ModelFailure): Classification {
  return {
    class: failure.class,
    ...(failure.status === undefined ? {} : { status: failure.status }),
    ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
  };
}

function retryAfter(evidence: Evidence, nowMs: number): number | undefined {
  for (const headers of evidence.headers) {
    const found = retryAfterOfHeaders(headers, nowMs);
    if (found !== undefined) return found;
  }
  return retryAfterOfText(evidence.text);
}

/**
 * Sorts any thrown value into a class. Pure; never throws. `nowMs` (epoch) is for a retry-after header that is a
 * date. What it cannot sort is `unknown`, which callers treat as "try the next candidate", never as fatal.
 */
export function classify(thrown: unknown, nowMs: number): Classification {
  if (thrown instanceof ModelFailure) return fromFailure(thrown);
  const evidence = gather(thrown);
  const { status } = evidence;
  const found =
    (status === undefined || status < 300 ? undefined : byStatus(status, evidence)) ?? byEvidence(evidence);
  const wait = retryAfter(evidence, nowMs);
  return {
    class: found,
    ...(status === undefined ? {} : { status }),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
}
