// SPDX-License-Identifier: Apache-2.0
//! The words of a command: what quotes, expansions and braces make of them.

use brush_parser::ast;
use brush_parser::word::{self, BraceExpressionMember, BraceExpressionOrText, Parameter, ParameterExpr, WordPiece, WordPieceWithSource};
use brush_parser::{uncached_tokenize_str, ParserOptions};

use super::{has_command, parse_into, Walk, Word};

impl Walk<'_> {
    /// The words that a word becomes; braces make several.
    pub(super) fn expand(&mut self, word: &ast::Word, out: &mut Vec<Word>) -> Result<(), String> {
        if !word.value.contains('{') {
            out.push(self.word(word)?);
            return Ok(());
        }
        let parts = word::parse_brace_expansions(&word.value, self.options).map_err(|e| e.to_string())?;
        let Some(parts) = parts else {
            out.push(self.word(word)?);
            return Ok(());
        };
        for text in expand_braces(&parts)? {
            out.push(self.text(&text)?);
        }
        Ok(())
    }

    pub(super) fn word(&mut self, word: &ast::Word) -> Result<Word, String> {
        self.text(&word.value)
    }

    fn text(&mut self, text: &str) -> Result<Word, String> {
        let pieces = word::parse(text, self.options).map_err(|e| e.to_string())?;
        let mut word = Word { text: String::new(), fixed: true };
        self.pieces(text, &pieces, false, &mut word)?;
        Ok(word)
    }

    pub(super) fn pieces(&mut self, source: &str, pieces: &[WordPieceWithSource], quoted: bool, out: &mut Word) -> Result<(), String> {
        for piece in pieces {
            let shown = source.get(piece.start_index..piece.end_index).unwrap_or("$?");
            match &piece.piece {
                WordPiece::Text(text) => {
                    // A dollar sign that the grammar takes for itself before a bracket is an expansion that it does not know.
                    if text == "$" && source.get(piece.end_index..).map_or(true, |rest| rest.starts_with(['{', '(', '['])) {
                        return Err("an expansion that is not understood".into());
                    }
                    if !quoted && text.contains(['*', '?', '[']) {
                        out.fixed = false;
                    }
                    out.text.push_str(text);
                }
                WordPiece::SingleQuotedText(text) => out.text.push_str(text),
                WordPiece::AnsiCQuotedText(text) => {
                    if text.contains("\\'") {
                        return Err("an escaped quote in $'...' ends the text in some shells".into());
                    }
                    match plain_ansi_c(text) {
                        Some(plain) => out.text.push_str(&plain),
                        None => {
                            out.fixed = false;
                            out.text.push_str(shown);
                        }
                    }
                }
                WordPiece::EscapeSequence(text) => {
                    let rest = text.strip_prefix('\\').unwrap_or(text);
                    if rest != "\n" {
                        out.text.push_str(rest);
                    }
                }
                WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                    self.pieces(source, inner, true, out)?;
                }
                WordPiece::TildeExpansion(_) => {
                    out.fixed = false;
                    out.text.push_str(shown);
                }
                WordPiece::ParameterExpansion(expression) => {
                    self.parameter(expression)?;
                    let inside = shown.strip_prefix("${").unwrap_or("");
                    if has_command(inside) || inside.contains("@P") || inside.starts_with('!') || inside.contains('[') {
                        return Err("an expansion of a variable that may run commands".into());
                    }
                    out.fixed = false;
                    out.text.push_str(shown);
                }
                WordPiece::ArithmeticExpression(expression) => {
                    self.arithmetic(&expression.value)?;
                    out.fixed = false;
                    out.text.push_str(shown);
                }
                WordPiece::CommandSubstitution(command) => {
                    out.fixed = false;
                    out.text.push_str("$(...)");
                    if !(shown.starts_with("$(") && is_one_word(shown, self.options)) {
                        return Err("it cannot be said where a substitution ends".into());
                    }
                    parse_into(command, self.depth + 1, self.found)?;
                }
                WordPiece::BackquotedCommandSubstitution(command) => {
                    out.fixed = false;
                    out.text.push_str("$(...)");
                    parse_into(command, self.depth + 1, self.found)?;
                }
            }
        }
        Ok(())
    }

    /// What an expansion computes or sets.
    fn parameter(&mut self, expression: &ParameterExpr) -> Result<(), String> {
        match expression {
            ParameterExpr::Substring { offset, length, .. } => {
                self.arithmetic(&offset.value)?;
                length.iter().try_for_each(|length| self.arithmetic(&length.value))
            }
            ParameterExpr::AssignDefaultValues { parameter: Parameter::Named(name), default_value, .. } => {
                let text = default_value.clone().unwrap_or_default();
                self.set(name, &Word { text, fixed: false })
            }
            _ => Ok(()),
        }
    }
}

/// The tokenizer, which knows comments and here-documents, must see the same end as the grammar of words, which does not.
fn is_one_word(text: &str, options: &ParserOptions) -> bool {
    let tokens = uncached_tokenize_str(text, &options.tokenizer_options());
    matches!(tokens.as_deref(), Ok([token]) if token.to_str() == text)
}

/// `$'rm'` without escapes, or with those that stand for one printable character.
fn plain_ansi_c(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.into());
    }
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            c @ ('\\' | '\'' | '"' | '?') => out.push(c),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'x' => {
                let digits: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_hexdigit)).take(2).collect();
                out.push(char::from(u8::from_str_radix(&digits, 16).ok().filter(u8::is_ascii)?));
            }
            first @ '0'..='7' => {
                let mut digits = String::from(first);
                digits.extend(std::iter::from_fn(|| chars.next_if(|c| ('0'..='7').contains(c))).take(2));
                out.push(char::from(u8::from_str_radix(&digits, 8).ok().filter(u8::is_ascii)?));
            }
            _ => return None,
        }
    }
    // A shell ends the text there.
    (!out.contains('\0')).then_some(out)
}

const MAX_EXPANDED: usize = 64;

fn expand_braces(parts: &[BraceExpressionOrText]) -> Result<Vec<String>, String> {
    let mut results = vec![String::new()];
    for part in parts {
        let choices = match part {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => {
                let mut choices = Vec::new();
                for member in members {
                    match member {
                        BraceExpressionMember::Child(children) => choices.extend(expand_braces(children)?),
                        BraceExpressionMember::NumberSequence { .. } | BraceExpressionMember::CharSequence { .. } => {
                            return Err("a sequence in braces is not expanded here".into())
                        }
                    }
                }
                choices
            }
        };
        if results.len() * choices.len() > MAX_EXPANDED {
            return Err(format!("braces make more than {MAX_EXPANDED} words"));
        }
        results = results.iter().flat_map(|start| choices.iter().map(move |end| format!("{start}{end}"))).collect();
    }
    Ok(results)
}
