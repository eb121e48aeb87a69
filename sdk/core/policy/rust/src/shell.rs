// SPDX-License-Identifier: Apache-2.0
//! What a shell script would run: every simple command in it, wherever it stands.

use brush_parser::ast::{self, AssignmentValue, Command, CompoundCommand};
use brush_parser::word;
use brush_parser::{uncached_tokenize_str, ParserOptions};
use serde_json::{json, Value};

use evaluate::is_name;

mod evaluate;
mod words;

/// Bytes of a script; longer ones are not read.
pub const MAX_BYTES: usize = 16 << 10;
/// Brackets and keywords that nest, counted without regard to quotes: the grammar recurses.
pub const MAX_OPENERS: usize = 200;
/// More than these are read on a stack of their own: callers' threads may have a small one.
const MAX_ON_CALLERS_STACK: usize = 12;
const OWN_STACK_BYTES: usize = 32 << 20;
pub const MAX_COMMANDS: usize = 256;
pub const MAX_WORDS: usize = 1024;
/// Substitutions within substitutions.
pub const MAX_DEPTH: usize = 6;

#[derive(Clone, Default)]
struct Word {
    text: String,
    /// The text is what the program gets, whatever variables and files there are.
    fixed: bool,
}

#[derive(Default)]
struct Found {
    commands: Vec<Value>,
    words: usize,
    /// Why it cannot be said what would run.
    opaque: Option<String>,
}

struct Walk<'a> {
    found: &'a mut Found,
    depth: usize,
    options: &'a ParserOptions,
}

/// `{"commands": [...]}` or, where it cannot be said what would run, `{"opaque": "why"}`.
pub fn parse(text: &str) -> Value {
    let mut found = Found::default();
    if let Err(why) = parse_into(text, 0, &mut found) {
        found.opaque.get_or_insert(why);
    }
    match found.opaque {
        Some(why) => json!({ "opaque": why }),
        None => json!({ "commands": found.commands }),
    }
}

fn parse_into(text: &str, depth: usize, found: &mut Found) -> Result<(), String> {
    if text.len() > MAX_BYTES {
        return Err(format!("longer than {MAX_BYTES} bytes"));
    }
    if text.contains('\0') {
        return Err("holds a NUL byte".into());
    }
    if depth > MAX_DEPTH {
        return Err(format!("substitutions nest deeper than {MAX_DEPTH}"));
    }
    let nesting = openers(text);
    if nesting > MAX_OPENERS {
        return Err(format!("more than {MAX_OPENERS} brackets, braces, negations, `&&`, `||` and compound commands"));
    }
    if nesting <= MAX_ON_CALLERS_STACK {
        return read(text, depth, found);
    }
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(OWN_STACK_BYTES).spawn_scoped(scope, || read(text, depth, found));
        let reader = reader.map_err(|e| format!("no thread to read it on: {e}"))?;
        reader.join().unwrap_or_else(|_| Err("the grammar panicked".into()))
    })
}

fn read(text: &str, depth: usize, found: &mut Found) -> Result<(), String> {
    // As a bash that runs a script: `!(a)` negates a subshell there and is no pattern.
    let options = ParserOptions { enable_extended_globbing: false, ..ParserOptions::default() };
    let tokens = uncached_tokenize_str(text, &options.tokenizer_options()).map_err(|e| e.to_string())?;
    let program = brush_parser::parse_tokens(&tokens, &options).map_err(|e| e.to_string())?;
    let mut walk = Walk { found, depth, options: &options };
    for list in &program.complete_commands {
        walk.list(list)?;
    }
    Ok(())
}

fn openers(text: &str) -> usize {
    let text = text.replace("\\\n", "");  // a keyword may stand on two lines
    let brackets = text.bytes().filter(|b| matches!(b, b'(' | b'{' | b'`' | b'[' | b'!')).count();
    let joints = text.matches("&&").count() + text.matches("||").count();
    let words = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|w| matches!(*w, "if" | "elif" | "case" | "for" | "while" | "until" | "select" | "function" | "coproc"))
        .count();
    brackets + joints + words
}

fn has_command(text: &str) -> bool {
    text.contains("$(") || text.contains('`') || text.contains("<(") || text.contains(">(") || text.contains("${")
}

fn has_expansion(text: &str) -> bool {
    text.contains(['$', '`'])
}

impl Walk<'_> {
    fn list(&mut self, list: &ast::CompoundList) -> Result<(), String> {
        for item in &list.0 {
            self.pipeline(&item.0.first)?;
            for next in &item.0.additional {
                match next {
                    ast::AndOr::And(pipeline) | ast::AndOr::Or(pipeline) => self.pipeline(pipeline)?,
                }
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline) -> Result<(), String> {
        for (place, command) in pipeline.seq.iter().enumerate() {
            self.command(command, place > 0)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command, piped: bool) -> Result<(), String> {
        match command {
            Command::Simple(simple) => self.simple(simple, piped),
            Command::Compound(compound, redirects) => {
                self.compound(compound)?;
                self.redirects(redirects.as_ref())
            }
            Command::Function(function) => {
                if has_expansion(&function.fname.value) {
                    return Err("the name of a function is made at run time".into());
                }
                self.compound(&function.body.0)?;
                self.redirects(function.body.1.as_ref())
            }
            Command::ExtendedTest(test, redirects) => {
                self.test(&test.expr)?;
                self.redirects(redirects.as_ref())
            }
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) -> Result<(), String> {
        match compound {
            CompoundCommand::Arithmetic(arithmetic) => self.arithmetic(&arithmetic.expr.value),
            CompoundCommand::ArithmeticForClause(clause) => {
                for part in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.arithmetic(&part.value)?;
                }
                self.list(&clause.body.list)
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(subshell) => self.list(&subshell.list),
            CompoundCommand::ForClause(clause) => {
                let mut value = Word { fixed: true, ..Word::default() };
                for one in clause.values.iter().flatten() {
                    let one = self.word(one)?;
                    value.fixed &= one.fixed && (value.text.is_empty() || value.text == one.text);
                    value.text = one.text;
                }
                value.fixed &= clause.values.is_some();
                self.set(&clause.variable_name, &value)?;
                self.list(&clause.body.list)
            }
            CompoundCommand::CaseClause(clause) => {
                self.word(&clause.value)?;
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        self.word(pattern)?;
                    }
                    if let Some(list) = &case.cmd {
                        self.list(list)?;
                    }
                }
                Ok(())
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition)?;
                self.list(&clause.then)?;
                for branch in clause.elses.iter().flatten() {
                    if let Some(condition) = &branch.condition {
                        self.list(condition)?;
                    }
                    self.list(&branch.body)?;
                }
                Ok(())
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0)?;
                self.list(&clause.1.list)
            }
            CompoundCommand::Coprocess(coprocess) => {
                if let Some(name) = &coprocess.name {
                    self.set(&name.value, &Word::default())?;
                    self.set(&format!("{}_PID", name.value), &Word::default())?;
                }
                self.command(&coprocess.body, true)
            }
        }
    }

    fn simple(&mut self, simple: &ast::SimpleCommand, piped: bool) -> Result<(), String> {
        use ast::CommandPrefixOrSuffixItem as Item;
        let mut words: Vec<Word> = Vec::new();
        let mut assigns: Vec<Value> = Vec::new();
        let mut redirects: Vec<Value> = Vec::new();
        let prefix = simple.prefix.iter().flat_map(|p| p.0.iter());
        let suffix = simple.suffix.iter().flat_map(|s| s.0.iter());
        let mut items: Vec<&Item> = prefix.collect();
        let name_at = items.len();
        items.extend(suffix);
        let named = simple.word_or_name.as_ref().map_or("", |w| w.value.as_str());
        for (place, item) in items.iter().enumerate() {
            if place == name_at {
                self.name(simple, &mut words)?;
            }
            let before = match place.checked_sub(1).map(|p| items[p]) {
                _ if place == name_at => named,
                Some(Item::Word(word)) => &word.value,
                _ => "",
            };
            if matches!(item, Item::IoRedirect(_)) && names_descriptor(before) {
                return Err("a descriptor that is kept in a variable".into());
            }
            match item {
                Item::IoRedirect(redirect) => self.redirect(redirect, &mut redirects)?,
                Item::Word(word) => self.expand(word, &mut words)?,
                // After a command's name it is a word like any other ("declare x=y"), and a value.
                Item::AssignmentWord(assignment, _) if place < name_at => {
                    assigns.push(self.assignment(assignment)?);
                }
                Item::AssignmentWord(assignment, word) => {
                    self.assignment(assignment)?;
                    words.push(self.word(word)?);
                }
                Item::ProcessSubstitution(_, subshell) => {
                    self.list(&subshell.list)?;
                    words.push(Word { text: "<(...)".into(), fixed: false });
                }
            }
        }
        if items.len() <= name_at {
            self.name(simple, &mut words)?;
        }
        self.add(words, assigns, redirects, piped)
    }

    fn name(&mut self, simple: &ast::SimpleCommand, words: &mut Vec<Word>) -> Result<(), String> {
        match &simple.word_or_name {
            Some(word) => self.expand(word, words),
            None => Ok(()),
        }
    }

    fn add(&mut self, words: Vec<Word>, assigns: Vec<Value>, redirects: Vec<Value>, piped: bool) -> Result<(), String> {
        self.found.words += words.len();
        if self.found.commands.len() >= MAX_COMMANDS || self.found.words > MAX_WORDS {
            return Err(format!("more than {MAX_COMMANDS} commands or {MAX_WORDS} words"));
        }
        let words: Vec<Value> = words.into_iter().map(|w| json!({"text": w.text, "fixed": w.fixed})).collect();
        self.found.commands.push(json!({
            "words": words, "assigns": assigns, "redirects": redirects, "piped": piped, "depth": self.depth,
        }));
        Ok(())
    }

    fn redirects(&mut self, list: Option<&ast::RedirectList>) -> Result<(), String> {
        let mut redirects = Vec::new();
        for redirect in list.iter().flat_map(|l| l.0.iter()) {
            self.redirect(redirect, &mut redirects)?;
        }
        if redirects.is_empty() {
            return Ok(());
        }
        self.add(Vec::new(), Vec::new(), redirects, false)
    }

    fn redirect(&mut self, redirect: &ast::IoRedirect, out: &mut Vec<Value>) -> Result<(), String> {
        use ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as Target, IoRedirect};
        let mut to = |op: &str, word: Word| out.push(json!({"op": op, "text": word.text, "fixed": word.fixed}));
        match redirect {
            IoRedirect::File(_, kind, target) => match target {
                Target::Filename(word) => {
                    let word = self.word(word)?;
                    to(if matches!(kind, Kind::Read) { "<" } else { ">" }, word);
                }
                Target::Fd(_) => {}
                Target::ProcessSubstitution(_, subshell) => self.list(&subshell.list)?,
                // ">&file" writes a file where "2>&1" copies a descriptor.
                Target::Duplicate(word) => {
                    let word = self.word(word)?;
                    let is_descriptor = word.fixed && word.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
                    if !is_descriptor {
                        to(if matches!(kind, Kind::DuplicateInput) { "<" } else { ">" }, word);
                    }
                }
            },
            IoRedirect::OutputAndError(word, _) => {
                let word = self.word(word)?;
                to(">", word);
            }
            IoRedirect::HereString(_, word) => {
                let word = self.word(word)?;
                to("<<<", word);
            }
            IoRedirect::HereDocument(_, here) => {
                if has_expansion(&here.here_end.value) {
                    return Err("the end of a here-document is read differently by shells".into());
                }
                let text = &here.doc.value;
                let mut fixed = true;
                if here.requires_expansion {
                    fixed = !text.contains('$') && !text.contains('`');
                    if !fixed {
                        let pieces = word::parse_heredoc(text, self.options).map_err(|e| e.to_string())?;
                        let mut ignored = Word { fixed: true, ..Word::default() };
                        self.pieces(text, &pieces, true, &mut ignored)?;
                    }
                }
                to("<<<", Word { text: text.clone(), fixed });
            }
        }
        Ok(())
    }

    fn assignment(&mut self, assignment: &ast::Assignment) -> Result<Value, String> {
        let name = match &assignment.name {
            ast::AssignmentName::VariableName(name) => name.clone(),
            ast::AssignmentName::ArrayElementName(name, index) => {
                self.arithmetic(index)?;
                name.clone()
            }
        };
        let value = match &assignment.value {
            AssignmentValue::Scalar(word) => self.word(word)?,
            AssignmentValue::Array(elements) => {
                for (key, element) in elements {
                    if let Some(key) = key {
                        self.arithmetic(&key.value)?;
                    }
                    self.word(element)?;
                }
                Word { text: "(...)".into(), fixed: false }
            }
        };
        Ok(json!({"name": name, "text": value.text, "fixed": value.fixed}))
    }
}

/// `{name}>file` keeps the descriptor's number in a variable.
fn names_descriptor(word: &str) -> bool {
    let inside = word.strip_prefix('{').and_then(|w| w.strip_suffix('}'));
    inside.is_some_and(|name| is_name(name.split('[').next().unwrap_or("")))
}
