print("written below")
