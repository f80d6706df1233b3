"""What the design can show: calibration, selection, known truth, published results beside ours."""
