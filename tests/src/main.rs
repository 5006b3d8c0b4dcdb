//! The replay tool: plays events into the real functions, and shows what they do.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use console::style;
use palisade_tests::case::Case;
use palisade_tests::lambda::Answer;
use palisade_tests::local_aws::LocalAws;
use palisade_tests::replay::{Play, play};
use palisade_tests::show::{self, Detail, Progress};
use palisade_tests::{binaries, expected, live};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Plays events into Palisade's real functions, against an AWS on this machine, and shows what they do.
///
/// Without arguments every case of `events/` is played: in dry run, and then in enforcement.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo run --", max_term_width = 100)]
struct Arguments {
    /// A case of `events/` (`<guardrail>/<case>` where two share a name), or the path of an event file: played in dry run
    case: Option<String>,
    /// Play that one in enforcement too
    #[arg(long, requires = "case", conflicts_with = "live")]
    enforce: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Play it against your own AWS account, with your credentials and Region. Dry run only; nothing is published
    #[arg(long, requires = "case")]
    live: bool,
    /// Take what comes out as what must come out (`expected.json`)
    #[arg(long, conflicts_with_all = ["live", "json"])]
    bless: bool,
    /// Name the cases
    #[arg(long, exclusive = true)]
    list: bool,
}

/// The local AWS is one Python process: more at once only wait for it.
const AT_ONCE: usize = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{} {error:#}", style("error:").for_stderr().red().bold());
            ExitCode::FAILURE
        }
    }
}

/// Whether everything came out as it must.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    if arguments.list {
        Case::all()?.iter().for_each(|case| println!("{}", case.full_name()));
        return Ok(true);
    }
    let cases = match &arguments.case {
        Some(wanted) => vec![Case::find(wanted)?],
        None => Case::all()?,
    };
    let progress = Progress::start();
    progress.tell("building the functions");
    binaries::build()?;
    match cases.as_slice() {
        [case] if arguments.live => run_live(case, arguments, &progress).await,
        _ => run_locally(cases, arguments, &progress).await,
    }
}

async fn run_live(case: &Case, arguments: &Arguments, progress: &Progress) -> anyhow::Result<bool> {
    progress.tell("asking your account");
    let live = live::play(case).await?;
    progress.end();
    if arguments.json {
        let notices: Vec<&Value> = live.act.notices.iter().map(|notice| &notice.json).collect();
        let mut played = live.act.to_json();
        if let Some(members) = played.as_object_mut() {
            members.insert("notices".to_owned(), json!(notices));
        }
        println!("{:#}", json!({"case": case.name, "account": live.account, "region": live.region, "dry-run": played}));
    } else {
        println!("{}", show::live(&case.name, &live.account, &live.region, &live.act));
    }
    Ok(matches!(live.act.answer, Answer::Response(_)))
}

async fn run_locally(cases: Vec<Case>, arguments: &Arguments, progress: &Progress) -> anyhow::Result<bool> {
    let one = arguments.case.is_some();
    let enforce = arguments.enforce || !one || arguments.bless;
    progress.tell("starting the local AWS");
    let aws = LocalAws::start(&|what| progress.tell(what))?;
    let begun = Instant::now();
    let upstream = aws.address();
    let (at_once, total) = (Arc::new(Semaphore::new(AT_ONCE)), cases.len());
    progress.tell(&format!("playing {}", if one { "the case".to_owned() } else { format!("{total} cases") }));
    let mut running = JoinSet::new();
    for (number, case) in cases.into_iter().enumerate() {
        let at_once = Arc::clone(&at_once);
        running.spawn(async move {
            let _turn = at_once.acquire().await;
            let played = play(upstream, &case, enforce).await;
            (number, case, played)
        });
    }

    let mut done: Vec<Option<(Case, Play, Vec<String>)>> = (0..total).map(|_| None).collect();
    let mut shown = 0;
    while let Some(finished) = running.join_next().await {
        let (number, case, played) = finished?;
        let played = played.map_err(|error| error.context(format!("the case {} can't be played", case.full_name())))?;
        if arguments.bless {
            expected::bless(&case, &played)?;
        }
        let differences = if arguments.bless { Vec::new() } else { expected::differences(&case, &played) };
        if let Some(place) = done.get_mut(number) {
            *place = Some((case, played, differences));
        }
        // In the order of their names, each as soon as those before it are there.
        while let Some(Some((case, played, differences))) = done.get(shown) {
            if !arguments.json {
                progress.print(&show::play(played, differences, if one { Detail::Full } else { Detail::Brief }));
                if one && case.folder.is_none() {
                    progress.print("There is no world.json beside the event, so the local AWS had none of the resources that it names.");
                    progress.print("To see what would be done about it in your own account: add --live.");
                }
            }
            shown += 1;
        }
        progress.count(&format!("played {shown} of {total}"));
    }
    progress.end();

    let all: Vec<(Case, Play, Vec<String>)> = done.into_iter().flatten().collect();
    let good = |play: &Play, differences: &[String]| play.broken.is_empty() && differences.is_empty();
    if arguments.json {
        let document: Vec<Value> = all.iter().map(|(case, play, differences)| document(case, play, differences)).collect();
        println!("{:#}", if one { document.into_iter().next().unwrap_or_default() } else { json!(document) });
    } else if !one {
        let row = |(case, play, differences): &(Case, Play, Vec<String>)| {
            (Play { name: case.full_name(), ..play.clone() }, good(play, differences))
        };
        let rows: Vec<(Play, bool)> = all.iter().map(row).collect();
        println!("{}\n", show::table(&rows));
    }
    let bad: Vec<String> =
        all.iter().filter(|(_, play, differences)| !good(play, differences)).map(|(case, _, _)| case.full_name()).collect();
    if !arguments.json {
        println!("{}", verdict(total, &bad, enforce, begun.elapsed().as_secs_f32()));
    }
    Ok(bad.is_empty())
}

fn verdict(total: usize, bad: &[String], enforced: bool, seconds: f32) -> String {
    let what = match (total, enforced) {
        (1, false) => "The case was played in dry run".to_owned(),
        (1, true) => "The case was played in dry run and in enforcement, each twice".to_owned(),
        (n, _) => format!("{n} cases were played in dry run and in enforcement, each twice, in {seconds:.0} s"),
    };
    match bad {
        [] => format!("{what}: {}.", style("as expected").green().bold()),
        bad => format!("{what}; {} {}.", style("not as expected:").red().bold(), bad.join(", ")),
    }
}

fn document(case: &Case, play: &Play, differences: &[String]) -> Value {
    let folder: Option<PathBuf> = case.folder.clone();
    let mut document = play.to_json();
    if let Some(members) = document.as_object_mut() {
        members.insert("case".to_owned(), json!(case.name));
        members.insert("guardrail".to_owned(), json!(case.guardrail.id()));
        members.insert("folder".to_owned(), json!(folder));
        members.insert("before".to_owned(), json!(play.before));
        members.insert("notAsExpected".to_owned(), json!(play.broken.iter().chain(differences).collect::<Vec<_>>()));
    }
    document
}
