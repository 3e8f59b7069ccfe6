"""What `make test-blas` plays, on processors that are not this one."""

from variants import found, main, variants


def test_an_old_processor_plays_no_newer_one():
    assert list(variants([])) == ["one thread", "two threads"]


def test_a_processor_with_avx2_plays_those_before_it():
    made = variants(["SSE42", "AVX2", "FMA3"])
    assert list(made) == ["one thread", "two threads", "Nehalem", "Haswell"]
    assert made["Nehalem"]["NPY_DISABLE_CPU_FEATURES"] == "AVX2 FMA3"
    assert "NPY_DISABLE_CPU_FEATURES" not in made["Haswell"]


def test_a_processor_with_avx512_plays_all():
    made = variants(["X86_V3", "X86_V4", "AVX512_ICL"])
    assert made["Nehalem"]["NPY_DISABLE_CPU_FEATURES"] == "X86_V3 X86_V4 AVX512_ICL"
    assert made["Haswell"]["NPY_DISABLE_CPU_FEATURES"] == "X86_V4 AVX512_ICL"
    assert made["SkylakeX"] == {"OPENBLAS_CORETYPE": "SkylakeX"}


def test_instructions_of_this_processor_are_named_by_numpy():
    assert all(isinstance(name, str) for name in found())


def test_one_that_fails_fails_the_whole(tmp_path, capfd):
    assert main([str(tmp_path), "-p", "no:cacheprovider"]) == 1  # pytest: no test was run
    assert "failed (5)" in capfd.readouterr().out
