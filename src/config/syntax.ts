import { printParseErrorCode } from 'jsonc-parser';
import type { ParseErrorCode } from 'jsonc-parser';

/** What the parser's codes mean to whoever typed the file, and what to do. */
const SENTENCES: Readonly<Record<string, string>> = {
  InvalidSymbol: 'this is no JSON: put text in "double quotes"; bare words are true, false and null only',
  InvalidNumberFormat: 'this is no number; write it in plain digits, such as 18789 or 0.5',
  PropertyNameExpected: 'a key in "double quotes" is expected here',
  ValueExpected: 'a value is expected here: text in "quotes", a number, true, false, [ ] or { }',
  ColonExpected: 'put a ":" between a key and its value',
  CommaExpected: 'put a "," between two entries',
  CloseBraceExpected: 'a "}" is missing here or above',
  CloseBracketExpected: 'a "]" is missing here or above',
  EndOfFileExpected: 'the object ended above; delete what stands here, or a brace too many above',
  InvalidCommentToken: 'a comment begins with // or stands between /* and */',
  UnexpectedEndOfComment: 'this comment never ends; close it with */',
  UnexpectedEndOfString: 'this text never ends; close it with a " on the same line',
  UnexpectedEndOfNumber: 'this number stops in the middle; finish it',
  InvalidUnicode: String.raw`this is no character; write \u and four hexadecimal digits`,
  InvalidEscapeCharacter: String.raw`there is no such escape; write \\ for a backslash`,
  InvalidCharacter: String.raw`this character cannot stand in text as it is; write \n, \t or \u....`,
};

export const syntaxMessage = (code: ParseErrorCode): string =>
  SENTENCES[printParseErrorCode(code)] ?? 'this is no JSON; correct it';
