"""How good is a model? Measures, their uncertainty, where they break down, and whether two models differ.

    from cloche_jobs.analysis.quality.evaluation import evaluate_binary
    evaluate_binary(labels, scores).write("/opt/ml/processing/evaluation")

writes ``evaluation.json`` (the form that SageMaker's model metrics, pipelines' property files and model cards read),
a ``report.html`` and its plots. The parts can be used alone: ``classification``, ``calibration``, ``gains``,
``regression``, ``ranking`` and ``clustering`` measure, ``bootstrap`` says how sure that is, ``slices`` and
``error_analysis`` where it is worse, ``comparison`` whether another model is better, ``baselines`` what knowing
nothing gives. Where scikit-learn or scipy have a measure it is theirs. Arguments are anything numpy makes an array
of.
"""
