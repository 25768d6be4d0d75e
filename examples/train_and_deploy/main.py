"""The main job: a model is trained, deployed and asked, by code that believes it is talking to AWS.

python examples/train_and_deploy/main.py [--csv FILE --label COLUMN] [--data FOLDER] [--port N] [--keep | --stop]
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from stage import Stage

HERE = Path(__file__).resolve().parent
METRIC = re.compile(r"\[(\d+)\](.*)")
console = Console(highlight=False, soft_wrap=True)


def say(text):
    console.print(f"[bold cyan]==>[/] {text}")


def main():
    arguments = parse()
    began = time.perf_counter()
    stage = Stage(arguments.data, arguments.port)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        say(f"starting a fresh Cloche ({stage.data})")
        seconds = stage.up()
        console.print(f"    ready after {seconds:.2f} s on http://127.0.0.1:{stage.port}")
        os.environ.update(stage.environment())
        show(stage, arguments)
    except KeyboardInterrupt:
        console.print("\n[yellow]interrupted; stopping Cloche[/]")
        stage.down()
        sys.exit(130)
    except BaseException:
        stage.down()
        if stage.log.exists():
            console.print(f"[red]the demo failed; the server's log is {stage.log}[/]")
        raise
    console.print(f"\n[bold green]done[/] in {time.perf_counter() - began:.1f} s")
    farewell(stage, arguments)


def parse():
    parser = argparse.ArgumentParser(description="Train, deploy and ask a model, on Cloche.")
    parser.add_argument("--csv", help="a file of your own: a header line, numeric columns")
    parser.add_argument("--label", help="the column of --csv to predict (two values)")
    parser.add_argument("--data", default=str(HERE.parents[1] / ".cloche-demo"), help="the server's data folder")
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--days", type=int, default=30, help="how long the churn model is watched; 0 leaves it out")
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument("--keep", action="store_true", help="leave Cloche running at the end")
    keep.add_argument("--stop", action="store_true", help="stop it at the end")
    arguments = parser.parse_args()
    if bool(arguments.csv) != bool(arguments.label):
        parser.error("--csv and --label go together")
    if not (arguments.keep or arguments.stop):
        arguments.keep = sys.stdout.isatty() and os.environ.get("CI") != "true"
    return arguments


def show(stage, arguments):
    from workflow import HYPERPARAMETERS, SKLEARN, XGBOOST, Workflow

    flow = Workflow()
    with tempfile.TemporaryDirectory(prefix="cloche-demo-") as scratch:
        scratch = Path(scratch)
        say("preparing the images' environments (the first time, this downloads them)")
        python = environment(stage, XGBOOST.format(region=flow.region))
        environment(stage, SKLEARN.format(region=flow.region))
        facts = prepare(python, scratch, arguments)
        say(f"uploading {facts['name']}: {facts['rows']} rows, {facts['columns']} features")
        data = flow.upload(scratch)
        role = flow.role()
        console.print(f"    {data}   role {role}")

        say("training the built-in XGBoost")
        job = f"demo-xgboost-{flow.stamp}"
        flow.train(job, XGBOOST, role, data, HYPERPARAMETERS)
        trained, curve = watch(flow, job)
        learning_curve(curve)
        for metric in trained["FinalMetricDataList"]:
            console.print(f"    {metric['MetricName']:<22}{metric['Value']:.6f}")

        say("deploying it to a real-time endpoint")
        endpoint = f"demo-{flow.stamp}"
        flow.deploy(endpoint, XGBOOST, role, trained["ModelArtifacts"]["S3ModelArtifacts"])
        await_endpoint(flow, endpoint)

        say("asking the endpoint about held-out rows, and plain xgboost about the artefact")
        judged = judge(flow, python, scratch, endpoint, trained["ModelArtifacts"]["S3ModelArtifacts"])
        console.print(f"    {judged['rows']} rows, held-out AUC {judged['auc']:.4f} (xgboost {judged['xgboost']})")
        console.print(f"    largest difference to the artefact's own predictions: {judged['difference']:.1e}")
        if judged["difference"] > 1e-6:
            sys.exit("the endpoint does not answer what its artefact predicts")

        say("training a scikit-learn script (script mode) on the same data")
        script_job(flow, role, data)
        if not arguments.csv:
            churn(scratch)
            if arguments.days:
                say(f"{arguments.days} days of a deployed model, by Cloche's clock (cloche demo drift; --days 0: not)")
                line = [str(Path(sys.executable).with_name("cloche")), "demo", "drift", "--data", str(stage.data)]
                follow([*line, "--days", str(arguments.days)], dict(os.environ), "the churn loop")


def churn(scratch):
    """The case study, by the SageMaker SDK in an environment of its own."""
    say("the churn case, by the SageMaker Python SDK (the first time, this downloads it)")
    cases, clients = HERE.parent / "churn", HERE.parents[1] / "tools" / "environments.py"
    raw = scratch / "churn.csv"
    with raw.open("wb") as file:
        subprocess.run([sys.executable, str(cases / "generator.py"), "--seed", "7"], stdout=file, check=True)
    rows = len(raw.read_bytes().splitlines()) - 1
    console.print(f"    {rows} rows of synthetic customers, made from a seed (examples/churn/generator.py)")
    made = subprocess.run([sys.executable, str(clients), "sagemaker2"], stdout=subprocess.PIPE, text=True, check=True)
    environment = {**os.environ, "SAGEMAKER_SUPPRESS_V2_WARNING": "1", "PYTHONUNBUFFERED": "1"}
    follow([made.stdout.strip(), "-W", "ignore", str(cases / "main.py"), str(raw)], environment, "the churn case")


def follow(line, environment, what):
    """Run a case; show what it tells, and all it said where it fails."""
    others = []
    with subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        for text in running.stdout:
            if text.startswith("==> "):
                say(text[4:].rstrip())
            elif text.startswith("    "):
                console.print(text.rstrip(), markup=False)
            else:
                others.append(text)
    if running.returncode:
        sys.exit(f"{what} failed:\n" + "".join(others[-40:]))


def environment(stage, image):
    """The interpreter of ``image``. A build's progress is one changing line on a terminal, many elsewhere."""
    name, told = image.rpartition("/")[2], set()
    with console.status(f"    {name}") if console.is_terminal else nullcontext() as status:

        def tell(line, seconds):
            if status is not None:
                status.update(f"    {name}: {line} ({seconds:.0f} s)")
            elif line not in told or int(seconds) % 10 == 0:
                console.print(f"    {name}: {line} ({seconds:.0f} s)", markup=False)
            told.add(line)

        return stage.image_python(image, tell)


def prepare(python, scratch, arguments):
    own = [str(Path(arguments.csv).resolve()), arguments.label] if arguments.csv else []
    done = subprocess.run([python, str(HERE / "prepare.py"), str(scratch), *own], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads((scratch / "facts.json").read_text())


def watch(flow, job):
    """Print a job's statuses and validation metrics as they come; answers its description and its curve."""
    curve = []
    for kind, what in flow.follow(job):
        if kind == "status":
            console.print(f"    [dim]{what}[/]")
        elif kind == "log" and (found := METRIC.match(what.replace("#011", "\t"))):
            values = dict(re.findall(r"(\S+):(-?[0-9.eE+-]+)", found[2]))
            curve.append(float(values.get("validation-logloss", "nan")))
            if int(found[1]) % 10 == 0:
                console.print(
                    f"    round {found[1]:>3}   "
                    + "   ".join(f"{k} {float(v):.5f}" for k, v in values.items() if k.startswith("validation"))
                )
        elif kind == "ended":
            if what["TrainingJobStatus"] != "Completed":
                sys.exit(f"{job} ended as {what['TrainingJobStatus']}: {what.get('FailureReason', '')}")
            return what, curve
    raise AssertionError("a followed job ends")


def learning_curve(values, height=8):
    """Draw ``values`` (one a round) with block characters."""
    if not values:
        sys.exit("no validation metric was seen in the log")
    low, high = min(values), max(values)
    blocks = " ▁▂▃▄▅▆▇█"
    console.print(f"    validation logloss by round, {values[0]:.3f} → {values[-1]:.3f}")
    for row in reversed(range(height)):
        line = ""
        for value in values:
            level = (value - low) / ((high - low) or 1) * height - row
            line += blocks[max(0, min(8, round(level * 8)))]
        edge = high if row == height - 1 else low if row == 0 else None
        console.print(f"    {'' if edge is None else f'{edge:.3f}':>6} │[cyan]{line}[/]")


def await_endpoint(flow, endpoint):
    began = time.perf_counter()
    with console.status("    creating") if console.is_terminal else nullcontext():
        while (status := flow.endpoint_status(endpoint))[0] == "Creating":
            time.sleep(0.05)
    if status[0] != "InService":
        sys.exit(f"endpoint {endpoint} is {status[0]}: {status[1]}")
    console.print(f"    {endpoint} is InService after {time.perf_counter() - began:.2f} s")


def judge(flow, python, scratch, endpoint, artefact):
    test = scratch / "test" / "test.csv"
    rows = [line.split(",", 1)[1] for line in test.read_text().splitlines()]
    answers = [flow.ask(endpoint, row) for row in rows]
    (scratch / "answers.json").write_text(json.dumps(answers))
    flow.download(artefact, scratch / "model.tar.gz")
    files = [str(scratch / "model.tar.gz"), str(test), str(scratch / "answers.json")]
    judged = subprocess.run([python, str(HERE / "judge.py"), *files], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(judged.stdout)


def script_job(flow, role, data):
    from workflow import SKLEARN

    source = flow.upload_script(HERE / "script")
    job = f"demo-sklearn-{flow.stamp}"
    hyperparameters = {
        "sagemaker_program": json.dumps("train.py"),
        "sagemaker_submit_directory": json.dumps(source),
        "strength": json.dumps(0.5),
    }
    metrics = [("validation:auc", r"validation-auc: ([0-9.]+)")]
    flow.train(job, SKLEARN, role, data, hyperparameters, metrics)
    trained, _ = watch(flow, job)
    for metric in trained["FinalMetricDataList"]:
        console.print(f"    {metric['MetricName']:<22}{metric['Value']:.6f}")


def farewell(stage, arguments):
    if not arguments.keep:
        stage.down()
        console.print("Cloche is stopped; its data is in " + str(stage.data))
        return
    console.print(f"Cloche is still running. Its console:  [bold]{stage.console()}[/]")
    console.print(f'Your shell:    eval "$(.venv/bin/cloche env --data {stage.data})"')
    console.print(f"To end it:     .venv/bin/cloche down --all --data {stage.data}")


if __name__ == "__main__":
    main()
