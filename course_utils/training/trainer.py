"""The trainer: one loop for every network of the course, on `accelerate`."""

from __future__ import annotations

import contextlib
import copy
import datetime
import math
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from course_utils import runtime
from course_utils.networks.weights import as_stored
from course_utils.training.ending import Budget, stop_signals
from course_utils.training.recipe import Recipe
from course_utils.training.run import Run, RunError

LOG_EVERY = 10  # batches
SAVE_EVERY = 60.0  # seconds
LONGEST_PAUSE = 60.0  # seconds: more between two batches is a laptop asleep, not training


def train(recipe: Recipe, *, images: int | None = None, minutes: float | None = None, resume: bool = False,
          again: bool = False, folder: Path | None = None, progress: bool = True,
          save_every: float = SAVE_EVERY) -> nn.Module | None:
    """Train by a recipe until `images` were seen or `minutes` have passed; return the averaged network.

    images, minutes: the budget, one of them; the learning rate falls to zero within it (default: the recipe's images).
    resume: go on where the training in `folder` stopped (default data/runs/<recipe's name>), within its budget or a
    new one. again: begin anew where a training lies already. Ctrl-C and SIGTERM save and stop; the answer is then
    None. Under `accelerate launch` or `torchrun` the processes share each batch.
    Raises ValueError for a bad budget, RunError for a folder that cannot be used so, or when the loss is not finite.
    """
    budget = None if images is None and minutes is None else Budget(images, minutes)
    training = _Training(recipe, Run(folder or runtime.data_dir() / "runs" / recipe.name), progress)
    with training.alone():
        training.resume(budget) if resume else training.begin(budget or Budget(recipe.images, None), again)
        # Whoever switched gradients off in this process did not mean the training
        with stop_signals() as stop, torch.enable_grad():
            finished = training.go(save_every, stop)
        return training.finish() if finished else None


class _Training:
    """The state of one training: network, averaged network, optimiser, and how far it is."""

    def __init__(self, recipe: Recipe, run: Run, progress: bool):
        from accelerate import Accelerator

        device = runtime.device()
        self.accelerator = Accelerator(mixed_precision=runtime.precision(device), cpu=device.type == "cpu")
        self.recipe, self.run, self.progress = recipe, run, progress and self.accelerator.is_main_process
        processes = self.accelerator.num_processes
        if recipe.batch_size % processes:
            raise ValueError(f"a batch of {recipe.batch_size} cannot be shared by {processes} processes. "
                             "Use a number of processes that divides it.")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(recipe.seed)
            self.plain = recipe.network()
        self.average = copy.deepcopy(self.plain).requires_grad_(False).eval().to(self.accelerator.device)
        groups = [{"params": [], "share": 1.0}, {"params": [], "share": 0.1}]
        for name, parameter in self.plain.named_parameters():
            groups[name.startswith(recipe.slow)]["params"].append(parameter)
        optimiser = torch.optim.AdamW([group for group in groups if group["params"]], recipe.lr, recipe.betas,
                                      weight_decay=recipe.weight_decay,
                                      # Twice as fast on a CPU; elsewhere torch chooses by itself
                                      fused=device.type == "cpu" or None)
        self.network, self.optimiser = self.accelerator.prepare(self.plain, optimiser)
        self.images, self.seconds, self.loss = 0, 0.0, 0.0
        self.losses: list[Tensor] = []  # of the batches since the last line of the log

    def alone(self):
        """A context in which no other training uses the folder; the processes of this one share it."""
        return self.run.locked() if self.accelerator.is_main_process else contextlib.nullcontext()

    def begin(self, budget: Budget, again: bool) -> None:
        """Make the folder ready. RunError when another training would be lost."""
        if self.run.state.exists() and not again:
            raise RunError(f"{self.run.folder} holds a training already. Go on with it (--resume), delete it and begin "
                           "anew (--again), or name another place (--folder).")
        self.budget = budget
        if self.accelerator.is_main_process:
            self.run.begin()
        self.accelerator.wait_for_everyone()

    def resume(self, budget: Budget | None) -> None:
        """Take up the state that was saved last. RunError when there is none, or one of another network."""
        tensors, numbers = self.run.load()
        try:
            if numbers["recipe"] != self.recipe.name:
                raise ValueError
            self.plain.load_state_dict(_under("network.", tensors))
            self.average.load_state_dict(_under("average.", tensors))
        except (RuntimeError, ValueError) as error:
            raise RunError(f"{self.run.folder} holds a training of {numbers['recipe']!r} whose network is not the one "
                           f"that {self.recipe.name!r} makes now. Begin anew (--again), or name another place "
                           "(--folder).") from error
        for name, parameter in self.plain.named_parameters():
            # Moments lie in memory as their parameter does; the number of steps stays on the CPU
            self.optimiser.state[parameter] = {
                key: value if key == "step" else torch.empty_like(parameter).copy_(value)
                for key, value in _under(f"adamw.{name}.", tensors).items()}
        self.losses = list(tensors["losses"].to(self.accelerator.device))
        self.images, self.seconds = numbers["images"], numbers["seconds"]
        self.budget = budget or Budget(*numbers["budget"])
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            self.run.cut_log(self.images)

    def go(self, save_every: float, stop: list) -> bool:
        """Train until the budget is spent (True) or something is in `stop` (False), and save."""
        now = saved = time.monotonic()
        quarter = None
        with tqdm(total=1000, disable=not self.progress, bar_format="{percentage:3.0f}% |{bar}| {desc}") as bar:
            while True:
                before, now = now, time.monotonic()
                self.seconds += min(now - before, LONGEST_PAUSE)
                spent, stopped = self._agree(self.budget.spent(self.images, self.seconds), bool(stop))
                if self.losses and (len(self.losses) >= LOG_EVERY or spent >= 1):
                    self._log()
                self._show(bar, spent)
                if stopped or spent >= 1:
                    break
                if quarter not in (None, int(4 * spent)):
                    self._preview()
                quarter = int(4 * spent)
                if time.monotonic() - saved > save_every:
                    self._save()
                    saved = time.monotonic()
                self._step(spent)
        self._save()
        if stopped:
            again = runtime.command("train", self.recipe.name, "--resume", "--folder", self.run.folder)
            self._say(f"Stopped at {self.images:,} images, and saved. To go on:\n  {again}")
        return not stopped

    def _step(self, spent: float) -> None:
        """One batch: everything random in it follows from the seed and the number of images seen."""
        accelerator, recipe = self.accelerator, self.recipe
        generator = recipe.generator(self.images, accelerator.device)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        batch = {name: value[mine] for name, value in recipe.batch(recipe.batch_size, generator, self.images).items()}
        warm = min(1.0, (self.images / recipe.batch_size + 1) / recipe.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = group["share"] * recipe.lr * warm * (1 - spent)
        loss = recipe.loss(self.network, batch).mean()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.network.parameters(), recipe.max_grad_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.images += recipe.batch_size
        self.losses.append(loss.detach())
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        """The averaged weights move a little towards the current ones; faster in the beginning."""
        steps = self.images / self.recipe.batch_size
        decay = min(self.recipe.ema, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.plain.parameters()), 1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.plain.buffers()):
            mine.copy_(theirs)

    def _agree(self, spent: float, stopped: bool) -> tuple[float, bool]:
        """The clock of the main process, and whether any process was told to stop, the same for all processes."""
        if self.accelerator.num_processes == 1:
            return spent, stopped
        ours = torch.tensor([spent if self.accelerator.is_main_process else 0.0, float(stopped)], dtype=torch.float64)
        spent, stops = self.accelerator.reduce(ours.to(self.accelerator.device)).tolist()
        return spent, stops > 0

    def _log(self) -> None:
        """One line: the mean loss since the last one."""
        self.loss = self.accelerator.reduce(torch.stack(self.losses).mean(), "mean").item()
        self.losses = []
        self._require(math.isfinite(self.loss))
        if self.accelerator.is_main_process:
            self.run.write_log({"images": self.images, "seconds": round(self.seconds, 2), "loss": round(self.loss, 6),
                                "lr": self.optimiser.param_groups[0]["lr"]})

    def _show(self, bar: tqdm, spent: float) -> None:
        if spent:
            left = tqdm.format_interval(self.seconds * (1 - spent) / spent)
            loss = f"loss {self.loss:.4f}, " if self.loss else ""
            rate = f"{self.images / self.seconds:.0f}/s"
            bar.set_description_str(f"{self.images:,} images, {rate}, {loss}{left} left", refresh=False)
            bar.update(round(1000 * spent) - bar.n)

    def _require(self, fine: bool) -> None:
        if not fine:
            raise RunError(f"after {self.images:,} images the loss or the weights are not finite any more, and nothing "
                           "of that was saved. A smaller learning rate in the recipe usually helps.")

    def _preview(self) -> None:
        """Write a few images of the averaged network beside the log."""
        if self.accelerator.is_main_process:
            images = self.recipe.preview(self.average)
            if images is not None:
                self.run.write_preview(images)

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        yield "losses", torch.stack(self.losses) if self.losses else torch.empty(0)
        yield from ((f"network.{name}", value) for name, value in self.plain.state_dict().items())
        yield from ((f"average.{name}", value) for name, value in self.average.state_dict().items())
        for name, parameter in self.plain.named_parameters():
            for key, value in self.optimiser.state[parameter].items():
                yield f"adamw.{name}.{key}", value

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            # The averaged weights have followed the current ones: what is broken there is broken here
            self._require(all(bool(value.isfinite().all()) for value in self.average.state_dict().values()))
            numbers = {"recipe": self.recipe.name, "images": self.images, "seconds": self.seconds,
                       "budget": [self.budget.images, self.budget.minutes]}
            try:
                self.run.save(dict(self._state()), numbers)
            except OSError as error:
                raise RunError(f"after {self.images:,} images {self.run.folder} could not be written ({error}). "
                               "What was saved before is whole: make room, then go on with --resume.") from error

    def finish(self) -> nn.Module:
        """Measure the averaged network as it will be stored, write the checkpoint, return the network."""
        self._preview()
        if self.accelerator.is_main_process:
            self._say("Measuring ...")
            shipped = self.recipe.shipped(self.average)
            self.run.write_checkpoint(shipped, self._record(shipped))
            self._say(f"Trained on {self.images:,} images; the checkpoint is in {self.run.checkpoint}")
        self.accelerator.wait_for_everyone()
        return self.average

    def _record(self, shipped: nn.Module) -> dict:
        return {
            "recipe": self.recipe.name, "network": type(self.plain).__name__, "data": self.recipe.data,
            "date": datetime.date.today().isoformat(), "images": self.images, "seconds": round(self.seconds),
            "hardware": _hardware(self.accelerator), "precision": self.accelerator.mixed_precision,
            "torch": torch.__version__, "parameters": sum(p.numel() for p in shipped.parameters()),
            "batch_size": self.recipe.batch_size, "lr": self.recipe.lr,
            "measures": self.recipe.measures(as_stored(shipped)),
            "curve": self.run.curve(),
        }

    def _say(self, sentence: str) -> None:
        if self.progress:
            print(sentence, flush=True)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _hardware(accelerator) -> str:
    """The machine in a few words."""
    processes = accelerator.num_processes
    if accelerator.device.type == "cuda":
        return f"{processes} x {torch.cuda.get_device_name()}"
    return f"{platform.machine()}, {processes} x {torch.get_num_threads()} threads"
