//! A CEL expression of a policy, compiled once: `when`, `autoApprove`, `deny[].if`. What it may speak of is in
//! [`facts`]; a name, field or function that is not there is an error when the policy is read, so that a typing error
//! does not become a rule that silently never holds.
//!
//! The library's parser and interpreter recurse. What the parser is given is bounded before (length, words, brackets)
//! and parsed on a stack that bears the worst of that; what is deeper than an evaluation may be on any thread is refused
//! then. How deep `exists`, `all`, `map` and `filter` nest is bounded too, and so is the work of an evaluation ([`cost`]).

mod cost;
mod facts;
mod names;

use std::sync::{Arc, LazyLock};

use cel::common::ast::{Expr, IdedExpr};
use cel::{Context, Env, ExecutionError, Program, Value};

pub(crate) use facts::Facts;
pub(crate) use names::Mentions;

/// The longest expression, in bytes.
const LONGEST: usize = 4096;
/// The most words and signs in one.
const MOST_TOKENS: usize = 400;
/// How deep brackets nest.
const DEEPEST: usize = 16;
/// How deep an expression is at most, as a tree: `a + b + c` is three deep.
const DEEPEST_TREE: usize = 40;
/// The stack that the longest expression is parsed on, in bytes; several times what the worst of them needs.
const STACK: usize = 16 * 1024 * 1024;
/// How deep `exists` and the like nest.
const DEEPEST_LOOPS: usize = 2;

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A condition, ready to be evaluated.
#[derive(Clone)]
pub struct Condition {
    source: String,
    program: Arc<Program>,
    mentions: Mentions,
}

impl Condition {
    /// Compiles an expression.
    ///
    /// # Errors
    /// In words, with line and column in the expression where they are known.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        bounded(source)?;
        let (program, mentions) = std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(STACK);
            let parsed =
                parser.spawn_scoped(scope, || compile(source)).map(std::thread::ScopedJoinHandle::join);
            match parsed {
                Ok(Ok(parsed)) => parsed,
                // A panic of the library's, or no memory for the stack.
                Ok(Err(_)) | Err(_) => Err("cannot be compiled".to_owned()),
            }
        })?;
        let condition = Self { source: source.to_owned(), program: Arc::new(program), mentions };
        condition.try_out()?;
        Ok(condition)
    }

    /// What it mentions.
    pub(crate) const fn mentions(&self) -> Mentions {
        self.mentions
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it speaks of where a session goes, so that it is decided when a grant is used.
    #[must_use]
    pub fn needs_target(&self) -> bool {
        self.mentions.any("target")
    }

    /// Whether it speaks of what the person asked before, so that it is decided when a request is made.
    #[must_use]
    pub fn needs_history(&self) -> bool {
        self.mentions.any("history")
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// Why it cannot be evaluated, in words.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> Result<bool, String> {
        match self.program.execute(facts.context()) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it comes to {}, not to true or false", other.type_of())),
            Err(error) => Err(in_words(&error)),
        }
    }

    /// Evaluates it once on facts that are made up: types do not depend on what they say.
    fn try_out(&self) -> Result<(), String> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        facts::bind_examples(&mut context);
        match self.program.execute(&context) {
            Ok(Value::Bool(_)) => Ok(()),
            Ok(other) => Err(format!("comes to {}, not to true or false", other.type_of())),
            Err(error @ (ExecutionError::NoSuchOverload(_) | ExecutionError::UndeclaredReference(_))) => {
                Err(in_words(&error))
            }
            // Depends on what is given: a label that is not there, a division by what may be zero.
            Err(_) => Ok(()),
        }
    }
}

fn compile(source: &str) -> Result<(Program, Mentions), String> {
    let program = STANDARD.compile(source).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or_else(
            || "is not an expression".to_owned(),
            |error| {
                let said = error.msg.lines().next().unwrap_or_default();
                format!("at {}:{} of the expression: {}", error.pos.0, error.pos.1, shown(said))
            },
        )
    })?;
    let mut mentions = Mentions::default();
    let mut walk = Walk { program: &program, mentions: &mut mentions };
    walk.check(program.expression(), &mut Vec::new(), Depth::default())?;
    cost::check(program.expression())?;
    Ok((program, mentions))
}

/// How deep the walk is.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    tree: usize,
    loops: usize,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Condition {}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

fn in_words(error: &ExecutionError) -> String {
    let text = match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no `{name}`"),
        other => other.to_string(),
    };
    shown(&text)
}

/// A text that may hold what a person gave, short and without what cannot be seen.
fn shown(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Holds the text to what the library's recursion can bear.
fn bounded(source: &str) -> Result<(), String> {
    if source.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if source.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    if source.chars().any(|c| c == '\0') {
        return Err("holds a character that is no text".to_owned());
    }
    let (mut tokens, mut depth, mut word) = (0, 0_usize, false);
    for c in source.chars() {
        let in_word = c.is_alphanumeric() || c == '_';
        let goes_on = c.is_whitespace() || (in_word && word);
        if !goes_on {
            tokens += 1;
        }
        word = in_word;
        match c {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' | ':' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(format!("nests deeper than {DEEPEST} brackets"));
        }
    }
    if tokens > MOST_TOKENS {
        return Err(format!("has more than {MOST_TOKENS} words and signs"));
    }
    Ok(())
}

/// The walk over a compiled expression that finds what does not exist.
struct Walk<'a> {
    program: &'a Program,
    mentions: &'a mut Mentions,
}

impl<'a> Walk<'a> {
    fn check(&mut self, expr: &'a IdedExpr, bound: &mut Vec<&'a str>, depth: Depth) -> Result<(), String> {
        if depth.tree >= DEEPEST_TREE {
            return Err(format!("is more than {DEEPEST_TREE} operations deep"));
        }
        let below = Depth { tree: depth.tree + 1, ..depth };
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name, expr, bound),
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && !bound.contains(&name.as_str())
                    && let Some(fields) = names::fields(name)
                    && !fields.contains(&select.field.as_str())
                {
                    let near = names::nearest(&select.field, fields);
                    return Err(self.at(expr, &format!("there is no `{name}.{}`{near}", select.field)));
                }
                if let Expr::Ident(name) = &select.operand.expr
                    && !bound.contains(&name.as_str())
                    && names::is_variable(name)
                {
                    self.mentions.add(name, Some(&select.field));
                    return Ok(());
                }
                self.check(&select.operand, bound, below)
            }
            Expr::Call(call) => {
                if !names::is_function(&call.func_name) {
                    return Err(self.at(expr, &format!("there is no function `{}`", call.func_name)));
                }
                call.target.iter().try_for_each(|target| self.check(target, bound, below))?;
                call.args.iter().try_for_each(|argument| self.check(argument, bound, below))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|item| self.check(item, bound, below)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                cel::common::ast::EntryExpr::MapEntry(entry) => {
                    self.check(&entry.key, bound, below)?;
                    self.check(&entry.value, bound, below)
                }
                cel::common::ast::EntryExpr::StructField(field) => self.check(&field.value, bound, below),
            }),
            Expr::Struct(_) => Err(self.at(expr, "there are no types of one's own here")),
            Expr::Comprehension(each) => {
                if depth.loops >= DEEPEST_LOOPS {
                    let what =
                        format!("`exists`, `all`, `map` and `filter` nest at most {DEEPEST_LOOPS} deep");
                    return Err(self.at(expr, &what));
                }
                self.check(&each.iter_range, bound, below)?;
                self.check(&each.accu_init, bound, below)?;
                let inner = Depth { loops: depth.loops + 1, ..below };
                let outside = bound.len();
                bound.push(&each.iter_var);
                bound.extend(each.iter_var2.as_deref());
                bound.push(&each.accu_var);
                let inside = [&each.loop_cond, &each.loop_step, &each.result];
                let checked = inside.into_iter().try_for_each(|part| self.check(part, bound, inner));
                bound.truncate(outside);
                checked
            }
        }
    }

    fn name(&mut self, name: &str, expr: &IdedExpr, bound: &[&str]) -> Result<(), String> {
        if bound.contains(&name) || name.starts_with('@') || names::is_type(name) {
            return Ok(());
        }
        if !names::is_variable(name) {
            let near = names::nearest(name, names::VARIABLES);
            return Err(self.at(expr, &format!("there is no `{name}`{near}")));
        }
        self.mentions.add(name, None);
        Ok(())
    }

    /// With line and column, where the library knows them.
    fn at(&self, expr: &IdedExpr, what: &str) -> String {
        let info = self.program.source_info();
        let place =
            info.offset_for(expr.id).and_then(|(start, _)| info.source.get(..usize::try_from(start).ok()?));
        match place {
            Some(before) => {
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                format!("at {line}:{column} of the expression: {}", shown(what))
            }
            None => shown(what),
        }
    }
}

#[cfg(test)]
mod tests;
