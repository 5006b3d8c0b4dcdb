//! A case, set up for a test that wants something to go wrong in it.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};

use palisade_policy::guardrail::Guardrail;
use palisade_policy::response::Mode;
use palisade_tests::binaries;
use palisade_tests::case::Case;
use palisade_tests::lambda::{Answer, Lambda};
use palisade_tests::local_aws::LocalAws;
use palisade_tests::proxy::Proxy;
use palisade_tests::replay::{self, Act};
use palisade_tests::stub::{Fault, Gate, How, Stub};
use palisade_tests::world::Made;
use serde_json::Value;

thread_local! {
    static OF_THIS_TEST: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

fn start() -> LocalAws {
    binaries::build().unwrap();
    LocalAws::start(&|what| eprintln!("{what}")).unwrap()
}

/// The local AWS of this test, or else of this process, with the functions built: it ends with the process.
pub(crate) fn aws() -> SocketAddr {
    static AWS: OnceLock<LocalAws> = OnceLock::new();
    OF_THIS_TEST.get().unwrap_or_else(|| AWS.get_or_init(start).address())
}

/// Runs a test that keeps AWS busy with one of its own: the local AWS does one thing at a time, and the calls of other tests would time out.
pub(crate) fn with_aws_of_its_own<T>(test: impl FnOnce() -> T) -> T {
    let aws = start();
    OF_THIS_TEST.set(Some(aws.address()));
    let done = test();
    OF_THIS_TEST.set(None);
    done
}

/// Runs a test's future.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) struct Scene {
    pub(crate) case: Case,
    pub(crate) made: Made,
}

impl Scene {
    pub(crate) async fn of(case: &str) -> Self {
        Self::with(case, &[]).await
    }

    /// With further settings of the function.
    pub(crate) async fn with(case: &str, settings: &[(&str, &str)]) -> Self {
        let mut case = Case::find(case).unwrap();
        case.world.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let made = Made::make(aws(), &replay::account(), &case.world).await.unwrap();
        Self { case, made }
    }

    /// A function behind a proxy where these calls go wrong.
    pub(crate) async fn function(&self, mode: Mode, faults: Vec<Fault>) -> Function {
        self.behind(mode, Stub { faults, ..replay::stub(&self.case, &self.made) }).await
    }

    /// A function behind a proxy where these calls go wrong, and every change waits at the gate before it is answered.
    pub(crate) async fn watched(&self, faults: Vec<Fault>, gate: &Arc<Gate>) -> Function {
        let after_changes = Some(Arc::clone(gate));
        self.behind(Mode::Enforce, Stub { faults, after_changes, ..replay::stub(&self.case, &self.made) }).await
    }

    /// Another guardrail's function in the same world, with its own event and settings, written with literal ids.
    pub(crate) async fn other(&self, guardrail: Guardrail, event: Value, settings: &[(&str, &str)], faults: Vec<Fault>) -> Function {
        let mut case = self.case.clone();
        (case.guardrail, case.event) = (guardrail, event.to_string());
        case.world.settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.run(&case, Mode::Enforce, Stub { faults, ..replay::stub(&case, &self.made) }).await
    }

    /// Enforces where nothing goes wrong.
    pub(crate) async fn enforce(&self) -> Act {
        self.function(Mode::Enforce, Vec::new()).await.deliver().await
    }

    /// Enforces, and does something else while the first call of this action waits.
    pub(crate) async fn enforce_while<T>(&self, action: &'static str, deed: impl Future<Output = T>) -> (Act, T) {
        self.enforce_held(|gate| vec![Fault { action, calls: 1..=1, how: How::Wait(gate) }], deed).await
    }

    /// Enforces where these calls go wrong, and does something else while that one of them waits which has the gate.
    pub(crate) async fn enforce_held<T>(&self, faults: impl FnOnce(Arc<Gate>) -> Vec<Fault>, deed: impl Future<Output = T>) -> (Act, T) {
        let gate = Arc::new(Gate::default());
        let mut function = self.function(Mode::Enforce, faults(Arc::clone(&gate))).await;
        function.deliver_held(&gate, deed).await
    }

    /// Enforces, and kills the function where it would call this action the first time.
    pub(crate) async fn crash_before(&self, action: &'static str) {
        let gate = Arc::new(Gate::default());
        let held = Fault { action, calls: 1..=1, how: How::Wait(Arc::clone(&gate)) };
        let mut function = self.function(Mode::Enforce, vec![held]).await;
        tokio::select! {
            act = function.deliver() => panic!("it never called {action}: {:?}", act.answer),
            () = gate.reached() => {}
        }
        function.lambda.stop().await.unwrap();
    }

    async fn behind(&self, mode: Mode, stub: Stub) -> Function {
        self.run(&self.case, mode, stub).await
    }

    async fn run(&self, case: &Case, mode: Mode, stub: Stub) -> Function {
        let proxy = Proxy::start(aws(), &self.made.account, stub).await.unwrap();
        let lambda = replay::start(case, &self.made, &proxy, mode).await.unwrap();
        Function { lambda, proxy, event: self.made.event(&case.event).await.unwrap() }
    }

    /// The rules of the case's only group, as lines.
    pub(crate) async fn rules(&self) -> Vec<String> {
        let (literal, _) = self.case.world.security_groups.iter().next().unwrap();
        self.made.read().await.unwrap().get(self.made.real(literal)).map(|group| group.lines()).unwrap_or_default()
    }

    /// The rules of that group as `expected.json` has them after enforcement.
    pub(crate) fn expected_rules(&self) -> Vec<String> {
        let (literal, _) = self.case.world.security_groups.iter().next().unwrap();
        let lines = &self.case.expected.as_ref().unwrap()["world"][literal];
        lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) struct Function {
    pub(crate) lambda: Lambda,
    pub(crate) proxy: Proxy,
    pub(crate) event: String,
}

impl Function {
    pub(crate) async fn deliver(&mut self) -> Act {
        replay::act(&mut self.lambda, &self.proxy, &self.event).await.unwrap()
    }

    /// Delivers the event, and does something else while a call waits at the gate.
    pub(crate) async fn deliver_held<T>(&mut self, gate: &Gate, deed: impl Future<Output = T>) -> (Act, T) {
        let meanwhile = async {
            gate.reached().await;
            let done = deed.await;
            gate.open();
            done
        };
        let mut delivery = pin!(self.deliver());
        let done = tokio::select! {
            act = &mut delivery => panic!("it never came to the gate: {:?}", act.answer),
            done = meanwhile => done,
        };
        (delivery.await, done)
    }

    pub(crate) async fn log(self) -> Vec<Value> {
        self.lambda.stop().await.unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn refuse(action: &'static str, calls: std::ops::RangeInclusive<usize>, status: u16, code: &'static str) -> Fault {
    Fault { action, calls, how: How::Refuse { status, code } }
}

/// The one result of a response, also of one at the end of an error.
pub(crate) fn the_result(act: &Act) -> Value {
    let response = act.response().unwrap_or_else(|| panic!("no response in {:?}", act.answer));
    let results = response["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{response}");
    results[0].clone()
}

pub(crate) fn error(act: &Act) -> (&str, &str) {
    match &act.answer {
        Answer::Error { kind, message } => (kind, message),
        Answer::Response(response) => panic!("no error, but {response}"),
    }
}
