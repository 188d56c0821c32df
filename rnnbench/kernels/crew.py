"""How threads share work without the interpreter: a mailbox per helper, and a counter of tasks.

A *job* is an array of int64: next task, helpers that are done, whether a caller has it (each on a cache line of its
own), then function, address of the first task, bytes from task to task, tasks. A *mailbox* is a state, the address of
a job, and a lock of Python's with the addresses of the functions that take and release it. A helper looks into its
mailbox for a while after each job, because the next one often comes within microseconds; then it goes to sleep at the
lock, from where it has to be woken.

All of this is compiled, because Python may raise between any two of its own steps (KeyboardInterrupt): a job posted to
some of a team would wait for the others for ever.
"""

from __future__ import annotations

import platform

from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic

from rnnbench.kernels.emit import compile_numbers
from rnnbench.kernels.raw import POINTER, call_address

SERVE, WORK, TAKE, DISMISS = 0, 1, 2, 3
ASLEEP, WAITING, JOB, QUIT = 0, 1, 2, 3
NEXT, DONE, BUSY, FUNCTION, FIRST, STRIDE, TASKS = 0, 64, 128, 192, 200, 208, 216  # bytes into a job
JOB_NUMBERS = 28
WHAT, LOCK, ACQUIRE, RELEASE = 8, 16, 24, 32  # bytes into a mailbox, after the state
MAILBOX_NUMBERS = 8
SPINS = 2_000  # looks before a waiting thread offers its processor to others at each look

I64 = ir.IntType(64)
HAS_PAUSE = platform.machine().lower() in ("x86_64", "amd64")


def _word(builder, address):
    return builder.inttoptr(address, I64.as_pointer())


@intrinsic
def look(context, address):
    """Read a number that other threads write."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(_word(builder, args[0]), "acquire", 8, typ=I64)

    return types.int64(types.int64), codegen


@intrinsic
def tell(context, address, value):
    """Write a number that other threads read; what was written before is seen first."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[1], _word(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def count(context, address):
    """Add 1 and return what was there before."""

    def codegen(context, builder, sig, args):
        return builder.atomic_rmw("add", _word(builder, args[0]), ir.Constant(I64, 1), "acq_rel")

    return types.int64(types.int64), codegen


@intrinsic
def swap(context, address, expected, value):
    """Write `value` if `expected` is there; return whether it was."""

    def codegen(context, builder, sig, args):
        result = builder.cmpxchg(_word(builder, args[0]), args[1], args[2], "acq_rel", "acquire")
        return builder.zext(builder.extract_value(result, 1), I64)

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def _hint(context, pause, polite):
    """Tell the processor that this is a loop that waits; call `pause` if `polite`."""

    def codegen(context, builder, sig, args):
        if HAS_PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(
                ir.Function(builder.module, kind, "llvm.x86.sse2.pause")
                if "llvm.x86.sse2.pause" not in builder.module.globals
                else builder.module.globals["llvm.x86.sse2.pause"],
                [],
            )
        with builder.if_then(builder.icmp_signed("!=", args[1], ir.Constant(I64, 0))):
            call_address(builder, args[0], ir.IntType(32))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def call_task(context, function, task):
    """Call a compiled function of a task's address."""

    def codegen(context, builder, sig, args):
        call_address(builder, args[0], ir.VoidType(), ir.Constant(POINTER, None), args[1])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def sleep(context, acquire, lock):
    """Take a lock of Python's, waiting as long as it takes."""

    def codegen(context, builder, sig, args):
        number = ir.IntType(32)
        call_address(builder, args[0], number, builder.inttoptr(args[1], POINTER), ir.Constant(number, 1))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def wake(context, release, lock):
    """Release a lock of Python's."""

    def codegen(context, builder, sig, args):
        call_address(builder, args[0], ir.VoidType(), builder.inttoptr(args[1], POINTER))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


def wait(address, least, pause):
    """Return when the number at an address is at least `least`."""
    tries = 0
    while look(address) < least:
        tries += 1
        _hint(pause, tries > SPINS and pause != 0)


def meet(team):
    """Wait for the other threads of a team, if there are any.

    `team` is a one-line table: this part's number, parts, address of a counter that starts at 0, the count to wait for
    (0 at first), address of a function that offers the processor to others.
    """
    if team[1] > 1:
        team[3] += team[1]
        count(team[2])
        wait(team[2], team[3], team[4])


def _do(job, helpers, pause):
    """Do tasks of a job until there are none, then wait until so many helpers are done."""
    task = count(job + NEXT)
    while task < look(job + TASKS):
        call_task(look(job + FUNCTION), look(job + FIRST) + task * look(job + STRIDE))
        task = count(job + NEXT)
    wait(job + DONE, helpers, pause)


def _tell(mailbox, state):
    """Tell a helper that has no job to do one or to quit, and wake it if it is asleep."""
    if swap(mailbox, WAITING, state) == 0:
        tell(mailbox, state)
        wake(look(mailbox + RELEASE), look(mailbox + LOCK))


def _work(job, request, mailboxes, helpers, pause):
    """Have the tasks of a request done; return 0 if another caller has the helpers."""
    if swap(job + BUSY, 0, 1) == 0:
        return 0
    tell(job + NEXT, 0)
    tell(job + DONE, 0)
    for i in range(0, TASKS + 8 - FUNCTION, 8):
        tell(job + FUNCTION + i, look(request + i))
    for i in range(helpers):
        mailbox = look(mailboxes + 8 * i)
        tell(mailbox + WHAT, job)
        _tell(mailbox, JOB)
    _do(job, helpers, pause)
    tell(job + BUSY, 0)
    return 1


def _serve(mailbox, looks, pause):
    """Do the jobs that come into a mailbox; go to sleep when none came for so many looks."""
    tries, state = 0, look(mailbox)
    while state != QUIT:
        if state == JOB:
            job = look(mailbox + WHAT)
            _do(job, 0, pause)
            tell(mailbox, WAITING)
            count(job + DONE)
            tries = 0
        else:
            tries += 1
            _hint(pause, tries > SPINS and pause != 0)
            if tries > looks and swap(mailbox, WAITING, ASLEEP) != 0:
                sleep(look(mailbox + ACQUIRE), look(mailbox + LOCK))
        state = look(mailbox)


def _crew(build, action, at, request, number, pause):
    """Do one of four things; compiled as one function, because each costs a fraction of a second to compile.

    SERVE: serve the mailbox `at` until told to quit, going to sleep after `number` looks.
    WORK: do the job `at` as `request` has it: function, first task, bytes from task to task, tasks, then the addresses
    of mailboxes, of which `number` take part; return 1, or 0 if another caller has them.
    TAKE: keep callers from the job `at`; return 1, or 0 if one has it.
    DISMISS: tell the helper of the mailbox `at` to quit.
    """
    if action == SERVE:
        _serve(at, number, pause)
    if action == WORK:
        return _work(at, request, request + TASKS + 8 - FUNCTION, number, pause)
    if action == TAKE:
        return swap(at + BUSY, 0, 1)
    if action == DISMISS:
        _tell(at, QUIT)
    return 0


def address():
    """Return the address of the compiled function: ``int64 (void*, action, at, request, number, pause)``."""
    return compile_numbers(_crew, types.float32).address
